"""Where something takes long, a bar appears if somebody watches, else lines."""

from __future__ import annotations

import io
import sys

import pytest

from econ_console import progress


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


def test_where_nobody_watches_a_line_is_written_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "LINE_INTERVAL_S", 0.0)
    lines = run(monkeypatch, io.StringIO(), delay_s=0.0).splitlines()
    assert lines == [f"reading x: {number} of 3 rows" for number in (1, 2, 3)]


def test_where_nobody_watches_short_work_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, io.StringIO(), delay_s=0.0) == ""
