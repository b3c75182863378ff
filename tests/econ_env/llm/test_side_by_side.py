"""Models on other machines are asked at the same time, and end together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from econ_env.llm import BudgetExceeded
from econ_env.llm.forwarding import ForwardingModel
from econ_env.llm.side_by_side import Call, call_all, ends_with_the_others, is_remote
from tests.support import RecordingModel

LIMIT_S = 30.0
"""After this long, something that should happen has not happened."""


def away(make: Callable[[], Any]) -> Call[Any]:
    return Call(make=make, remote=True)


def here(make: Callable[[], Any]) -> Call[Any]:
    return Call(make=make, remote=False)


def waits() -> None:
    """Wait until another call has failed, as a client of a server does."""
    stopped = threading.Event()
    with ends_with_the_others(stopped.set):
        assert stopped.wait(LIMIT_S)
    raise RuntimeError("stopped")


def test_remote_calls_run_at_the_same_time_and_results_keep_their_order() -> None:
    everybody = threading.Barrier(3)

    def meet(name: str) -> Callable[[], str]:
        def call() -> str:
            everybody.wait(LIMIT_S)
            return name

        return call

    assert call_all([away(meet("a")), away(meet("b")), away(meet("c"))]) == ["a", "b", "c"]


def test_calls_in_this_process_stay_in_this_thread_one_after_the_other() -> None:
    seen: list[str] = []

    def note(name: str) -> Callable[[], str]:
        def call() -> str:
            seen.append(f"{name} {threading.current_thread() is threading.main_thread()}")
            return name

        return call

    def elsewhere() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert call_all([here(note("a")), away(elsewhere), here(note("b"))]) == ["a", False, "b"]
    assert seen == ["a True", "b True"]


@pytest.mark.parametrize("count", [0, 1])
def test_one_remote_call_needs_no_thread(count: int) -> None:
    def in_main() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert call_all([away(in_main)] * count) == [True] * count


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_ends_all_calls_and_is_the_one_that_is_raised(failing: int) -> None:
    def fails() -> None:
        time.sleep(0.05)
        raise ValueError("this one")

    calls = [away(fails if index == failing else waits) for index in range(3)]
    with pytest.raises(ValueError, match="this one"):
        call_all(calls)
    assert not [one for one in threading.enumerate() if one.name.startswith("econ-models")]


def test_after_a_spent_budget_the_others_finish_since_they_are_paid_for() -> None:
    failed, finished = threading.Event(), threading.Event()
    stops: list[str] = []

    def spends() -> None:
        failed.set()
        raise BudgetExceeded("spent")

    def goes_on() -> None:
        with ends_with_the_others(lambda: stops.append("stopped")):
            assert failed.wait(LIMIT_S)
            time.sleep(0.05)
            finished.set()

    with pytest.raises(BudgetExceeded, match="spent"):
        call_all([away(goes_on), away(spends), away(goes_on)])
    assert finished.is_set()
    assert stops == []


def test_an_interrupt_of_this_thread_ends_the_others() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_all([away(waits), here(interrupted), away(waits)])


def test_who_comes_too_late_is_stopped_at_once() -> None:
    failed = threading.Event()

    def fails() -> None:
        failed.set()
        raise ValueError("this one")

    def late() -> None:
        assert failed.wait(LIMIT_S)
        time.sleep(0.05)
        waits()

    with pytest.raises(ValueError, match="this one"):
        call_all([away(late), away(fails)])


def test_alone_nothing_is_stopped() -> None:
    stops: list[str] = []
    with ends_with_the_others(lambda: stops.append("stopped")):
        pass
    assert stops == []


def test_a_timeout_that_a_call_raises_is_its_own() -> None:
    def late() -> None:
        raise TimeoutError("of the call")

    with pytest.raises(TimeoutError, match="of the call"):
        call_all([away(late), here(lambda: None)])


def test_a_model_is_remote_if_it_says_so_also_behind_others() -> None:
    class OnServer(RecordingModel):
        remote = True

    model = OnServer()
    assert is_remote(model)
    assert is_remote(ForwardingModel("m", lambda: model))
    assert not is_remote(RecordingModel())
    assert not is_remote(ForwardingModel("m", RecordingModel))
