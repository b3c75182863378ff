"""Confidence intervals of a proportion."""

from __future__ import annotations


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95% score interval of Wilson (1927) for a proportion; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    # Imported here, because scipy takes as long to load as the rest of this package.
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
