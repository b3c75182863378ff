"""Causes of failed episodes, from the records of the environment."""

from __future__ import annotations

import itertools

from econ_agents.environments.failure_causes import MAX_CAUSES, FailureCauses


def test_failures_are_counted_by_cause_commonest_first() -> None:
    causes = FailureCauses()
    causes.note({"failed": "executor_0: slow after 3 s"})
    assert causes.note({"failed": "executor_0: refused"}) == "executor_0: refused"
    assert causes.note({"failed": "executor_2: refused"}) is None
    causes.note(None)
    restored = FailureCauses()
    restored.add(causes.counts())
    assert restored.lines() == causes.lines()
    assert causes.lines() == [
        "2 x executor_0: refused",
        "1 x executor_0: slow after 3 s",
        "1 x the environment gives no reason",
    ]


def test_the_causes_that_are_told_apart_are_bounded() -> None:
    causes = FailureCauses()
    words = ["".join(letters) for letters in itertools.product("abcdefghijkl", repeat=2)]
    for word in words:
        causes.note({"failed": word})
    counts = causes.counts()
    assert len(counts) == MAX_CAUSES + 1
    assert counts["other causes"] == len(words) - MAX_CAUSES
    causes.note({"failed": "z" * 10**6})
    assert max(map(len, causes.counts())) < 100
