"""Ctrl-C waits for the end of what must not be interrupted."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from econ_agents.training.interrupts import uninterrupted


@pytest.fixture(autouse=True)
def ctrl_c_raises() -> Iterator[None]:
    """As in a terminal: where the tests run in the background, Ctrl-C may be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_waits_for_the_end() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            press()
            press()
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]


def test_without_ctrl_c_nothing_happens_and_afterwards_it_works_again() -> None:
    with uninterrupted():
        pass
    with pytest.raises(KeyboardInterrupt):
        press()


def test_the_inner_one_waits_for_the_outer_one() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            with uninterrupted():
                press()
            done.append("the outer one")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the outer one"]


def test_an_error_inside_is_not_hidden_by_ctrl_c() -> None:
    def work() -> None:
        with uninterrupted():
            press()
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        work()


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        press()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
