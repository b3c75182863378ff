"""A bar appears where something takes long and somebody watches."""

from __future__ import annotations

import io
import sys

import pytest

from econ_env import progress


class Terminal(io.StringIO):
    """A stderr that somebody watches."""

    def isatty(self) -> bool:
        return True


def run(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, delay_s: float) -> str:
    monkeypatch.setattr(progress, "DELAY_S", delay_s)
    monkeypatch.setattr(sys, "stderr", stream)
    items = progress.progress(range(3), description="reading x", unit="row", total=3)
    assert list(items) == [0, 1, 2]
    return stream.getvalue()


def test_what_takes_long_shows_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(monkeypatch, Terminal(), delay_s=0.0)
    assert "reading x" in shown
    assert "0/3" in shown


def test_what_is_done_soon_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Terminal(), delay_s=60.0) == ""


def test_nobody_watching_means_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, io.StringIO(), delay_s=0.0) == ""
