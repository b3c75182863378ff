"""Differences in accuracy between two models on the same questions.

The bootstrap draws counts of the three values that a difference of two 0/1 results can have. The
committed reports hold its bounds to four digits. The bootstrap of :mod:`econ_agents.statistics`
would change these digits, because it makes other draws from the same distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from econ_agents.statistics import RESAMPLES


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A mean paired difference with its 95% bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.mean:+.1f} ({100 * self.low:+.1f} to {100 * self.high:+.1f})"


def paired_difference(ours: Sequence[bool], theirs: Sequence[bool], *, seed: int = 0) -> Difference:
    """Accuracy of ``ours`` minus accuracy of ``theirs`` on the same questions, in shares.

    The interval is the 2.5% and 97.5% quantile over resampled questions (percentile bootstrap).

    Raises:
        ValueError: the two lengths differ or are zero.
    """
    if len(ours) != len(theirs) or not len(ours):
        raise ValueError(f"paired results need equal, positive lengths: {len(ours)}, {len(theirs)}")
    difference = np.asarray(ours, dtype=np.int8) - np.asarray(theirs, dtype=np.int8)
    # The mean depends only on how often each of the three values is drawn.
    values = np.array([-1, 0, 1])
    shares = np.array([(difference == value).mean() for value in values])
    draws = np.random.default_rng(seed).multinomial(len(difference), shares, size=RESAMPLES)
    means = draws @ values / len(difference)
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(mean=float(difference.mean()), low=float(low), high=float(high))


def error_correlation(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Pearson's correlation of two 0/1 results; 0 if one of them never varies."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
