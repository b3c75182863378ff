"""Intervals: known values, laws, and that they hold what they claim to hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_agents.statistics import Interval, mean_interval, paired_difference, proportion_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # From R: prop.test(successes, trials, correct = FALSE).
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (50, 100, 0.4038, 0.5962)],
)
def test_shares_have_the_published_wilson_intervals(
    successes: int, trials: int, low: float, high: float
) -> None:
    found = proportion_interval(successes, trials)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_interval_of_a_share_holds_it_and_stays_in_range(trials: int, share: float) -> None:
    found = proportion_interval(round(share * trials), trials)
    assert 0 <= found.low <= found.mean <= found.high <= 1


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 3), (4, 3)])
def test_impossible_shares_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"{successes} of {trials}"):
        proportion_interval(successes, trials)


def test_the_interval_of_a_mean_is_as_wide_as_the_normal_approximation_says() -> None:
    values = np.random.default_rng(3).exponential(size=2000)
    found = mean_interval(values, seed=0)
    assert found.mean == pytest.approx(values.mean())
    error = values.std(ddof=1) / np.sqrt(2000)
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_the_interval_of_a_mean_follows_from_values_and_seed_alone() -> None:
    values = np.random.default_rng(4).normal(size=50)
    assert mean_interval(values, seed=1) == mean_interval(values.tolist(), seed=1)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_equal_values_have_no_spread() -> None:
    assert mean_interval([0.5] * 9, seed=0) == Interval(mean=0.5, low=0.5, high=0.5)


def test_what_both_sides_share_cancels_out_of_a_paired_difference() -> None:
    generator = np.random.default_rng(5)
    difficulty, better = 100 * generator.random(80), 0.1 * generator.random(80)
    found = paired_difference(difficulty + better, difficulty, seed=0)
    assert found.mean == pytest.approx(better.mean())
    assert 0 < found.low <= found.mean <= found.high < 0.1


def test_values_that_cannot_be_averaged_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two values"):
        mean_interval([1.0], seed=0)
    with pytest.raises(ValueError, match="at least two values"):
        mean_interval(np.zeros((3, 3)), seed=0)
    with pytest.raises(ValueError, match="1 of 3 values are NaN"):
        mean_interval([1.0, np.nan, 2.0], seed=0)
    with pytest.raises(ValueError, match="got 3 and 1"):
        paired_difference([1.0, 2.0, 3.0], [1.0], seed=0)


def test_an_interval_prints_and_is_json() -> None:
    interval = Interval(mean=0.25, low=0.125, high=0.375)
    assert str(interval) == "0.25 (0.125 to 0.375)"
    assert interval.to_json() == {"mean": 0.25, "low": 0.125, "high": 0.375}
