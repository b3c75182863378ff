"""Sums over episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env import batched_parallel_env
from econ_env.summary import summarise, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # From R: prop.test(successes, trials, correct = FALSE).
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (50, 100, 0.4038, 0.5962), (0, 0, 0.0, 1.0)],
)
def test_wilson_interval_agrees_with_published_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_interval_holds_the_share_and_stays_in_range(trials: int, share: float) -> None:
    successes = round(share * trials)
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1


def test_a_summary_counts_what_the_infos_said() -> None:
    env = batched_parallel_env(40, dataset="simulated", llm="simulated")
    env.reset(seed=0)
    infos = env.step({agent: np.zeros((40, 2)) for agent in env.possible_agents})[4]
    own = infos["executor_0"]
    summary = summarise(env.transcripts)
    assert summary.finished == 40
    assert summary.failed == 0
    assert summary.correct == own["correct"].sum()
    assert summary.first_executor_correct == own["ts"].sum()
    assert summary.commitments_asked == own["commitments_asked"].sum()
    assert summary.commitments_json == own["commitments_json"].sum()
    assert summary.prompt_tokens == own["prompt_tokens"].sum()
    assert 0 < summary.majority_correct < 40
    assert f"({summary.correct}/40)" in str(summary)


def test_failed_episodes_count_as_failed_only() -> None:
    env = batched_parallel_env(2, dataset="simulated", llm="simulated")
    env.reset(seed=0)
    env.step({agent: np.zeros((2, 2)) for agent in env.possible_agents})
    good, other = env.transcripts
    summary = summarise([good, replace(other, failed="no answer")])
    assert (summary.finished, summary.failed) == (1, 1)
    assert summary.prompt_tokens == good.usage.prompt_tokens + other.usage.prompt_tokens


def test_nothing_played_is_no_accuracy() -> None:
    assert "accuracy" not in str(summarise([]))
