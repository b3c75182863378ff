"""Intervals for what is measured here: shares, paired differences, correlations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000

_Z_95 = 1.959963984540054
"""97.5% quantile of the standard normal distribution."""


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95% score interval of Wilson (1927) for a proportion; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    spread = _Z_95**2 / trials
    centre = share + spread / 2
    margin = _Z_95 * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    low = (centre - margin) / (1 + spread)
    high = (centre + margin) / (1 + spread)
    # Exact at the ends, where rounding could put the bound beyond the share itself.
    return low if successes > 0 else 0.0, high if successes < trials else 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A mean paired difference with its 95% bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.mean:+.1f} ({100 * self.low:+.1f} to {100 * self.high:+.1f})"


def paired_difference(ours: Sequence[bool], theirs: Sequence[bool], *, seed: int = 0) -> Difference:
    """Accuracy of ``ours`` minus that of ``theirs`` on the same questions, in shares.

    The interval is the 2.5% and 97.5% quantile over resampled questions (percentile bootstrap).

    Raises:
        ValueError: the two do not have the same, positive length.
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
    """Pearson's correlation of two 0/1 results; 0 where one of them never varies."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
