"""Paired differences and correlations of two models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bundled_models.differences import error_correlation, paired_difference

results = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200)


@given(results)
def test_the_interval_contains_the_mean_and_turns_round_with_the_sides(pairs):
    ours, theirs = zip(*pairs, strict=True)
    there, back = paired_difference(ours, theirs), paired_difference(theirs, ours)
    assert there.low <= there.mean <= there.high
    assert there.mean == pytest.approx((sum(ours) - sum(theirs)) / len(pairs))
    assert back.mean == pytest.approx(-there.mean)


def test_equal_results_differ_by_exactly_nothing():
    difference = paired_difference([True, False] * 50, [True, False] * 50)
    assert (difference.mean, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_the_interval_has_the_width_that_the_normal_approximation_gives():
    generator = np.random.default_rng(5)
    ours, theirs = generator.random(2000) < 0.7, generator.random(2000) < 0.6
    difference = paired_difference(list(ours), list(theirs))
    spread = (ours.astype(int) - theirs.astype(int)).std() / np.sqrt(2000)
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * spread, rel=0.1)


def test_lengths_must_match_and_be_positive():
    with pytest.raises(ValueError, match="equal, positive lengths"):
        paired_difference([True], [True, False])
    with pytest.raises(ValueError, match="equal, positive lengths"):
        paired_difference([], [])


def test_a_difference_prints_in_points():
    assert str(paired_difference([True] * 4, [False] * 4)) == "+100.0 (+100.0 to +100.0)"


def test_correlation_is_one_for_equal_minus_one_for_opposite_and_zero_for_constant_results():
    right = [True, False, True, True]
    assert error_correlation(right, right) == pytest.approx(1.0)
    assert error_correlation(right, [not r for r in right]) == pytest.approx(-1.0)
    assert error_correlation(right, [True] * 4) == 0.0
