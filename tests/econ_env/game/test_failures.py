"""Failed episodes: grouped by cause, and the end of a run in which nothing succeeds."""

from __future__ import annotations

import pytest

from econ_env.game.failures import FailureWatch, NothingSucceeds, failure_lines, failures_by_cause


def test_the_agent_and_numbers_do_not_distinguish_causes() -> None:
    reasons = [
        "executor_0 (model 'a:m'): refused (400: bad field, request 81f)",
        "coordinator (model 'a:m'): no answer within 600 s",
        "executor_2 (model 'a:m'): refused (400: bad field, request 99a)",
        "model 'a:m': refused (400: bad field, request 7)",
    ]
    assert failures_by_cause(reasons) == [
        ("refused (400: bad field, request 81f)", 3),
        ("no answer within 600 s", 1),
    ]
    assert failure_lines(reasons)[1] == "1 x no answer within 600 s"


def test_so_many_failures_in_a_row_end_a_run_with_the_commonest_cause() -> None:
    watch = FailureWatch(3)
    watch.note(["coordinator (model 'a:m'): slow"])
    with pytest.raises(NothingSucceeds) as ended:
        watch.note(["executor_0 (model 'a:m'): refused", "executor_1 (model 'a:m'): refused"])
    assert "the last 3 episodes failed" in str(ended.value)
    assert "(2 of 3): refused" in str(ended.value)
    assert "econ-env doctor --llm 'a:m'" in str(ended.value)
    assert ended.value.exit_code == 1
    watch.note(["x", "y"])  # the count has begun again


def test_one_result_in_between_starts_the_count_again() -> None:
    watch = FailureWatch(3)
    for _ in range(5):
        watch.note(["a", "b", None])
    watch.note(["a", "b"])
    with pytest.raises(NothingSucceeds, match="the last 3 episodes failed"):
        watch.note(["c"])


def test_without_a_limit_nothing_ends() -> None:
    reasons = ["a"] * 1000
    FailureWatch(None).note(reasons)
    with pytest.raises(NothingSucceeds):
        FailureWatch(1000).note(reasons)
