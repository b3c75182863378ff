"""Causes of failed episodes, from the records of the environment."""

from __future__ import annotations

from econ_agents.algorithm.failure_causes import FailureCauses


def test_failures_are_counted_by_cause_commonest_first() -> None:
    causes = FailureCauses()
    causes.note({"failed": "executor_0: slow after 3 s"})
    assert causes.note({"failed": "executor_0: refused"}) == "executor_0: refused"
    assert causes.note({"failed": "executor_2: refused"}) is None
    causes.note(None)
    assert causes.lines() == [
        "2 x executor_0: refused",
        "1 x executor_0: slow after 3 s",
        "1 x the environment gives no reason",
    ]
