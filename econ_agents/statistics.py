"""Confidence intervals of shares, means and paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from econ_agents.errors import EconAgentsError

CONFIDENCE = 0.95
"""Confidence level of every interval of this package."""
RESAMPLES = 10_000
"""Number of resamples of a bootstrap; bounds vary by about 1% of the width from seed to seed."""

_NUMBERS_AT_ONCE = 1_000_000
"""Largest number of values that a bootstrap holds in memory: 8 MB."""


class TooFewResults(EconAgentsError, ValueError):
    """Almost no episode came to a result, so that nothing can be measured."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A measured value with the bounds of its 95% interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4g} ({self.low:.4g} to {self.high:.4g})"

    def to_json(self) -> dict[str, float]:
        """Return the three numbers by name."""
        return asdict(self)


def in_points(interval: Interval, *, signed: bool = False) -> str:
    """Write a difference of shares with its interval, in percentage points."""
    mean, low, high = 100 * interval.mean, 100 * interval.low, 100 * interval.high
    return _minus(f"{mean:{'+' if signed else ''}.1f} points ({low:.1f} to {high:.1f})")


def in_percent(interval: Interval) -> str:
    """Write a share with its interval, in percent."""
    mean, low, high = 100 * interval.mean, 100 * interval.low, 100 * interval.high
    return f"{mean:.1f}% ({low:.1f} to {high:.1f})"


def in_units(interval: Interval, *, signed: bool = False) -> str:
    """Write a number with its interval, as in rewards."""
    sign = "+" if signed else ""
    return _minus(f"{interval.mean:{sign}.3g} ({interval.low:.3g} to {interval.high:.3g})")


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")


def proportion_interval(successes: int, trials: int) -> Interval:
    """A share with the score interval of Wilson (1927), which holds near 0 and 1 too.

    Raises:
        ValueError: there are no trials, or not between 0 and ``trials`` successes.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(
            f"a share needs at least one trial and 0 to trials successes, got {successes} of "
            f"{trials}: check whether all episodes failed and were dropped"
        )
    interval = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(mean=successes / trials, low=float(interval.low), high=float(interval.high))


def mean_interval(values: npt.ArrayLike, *, seed: int) -> Interval:
    """The mean of independent values with its percentile bootstrap interval (Efron, 1979).

    Args:
        values: shape (count,), count >= 2, finite.
        seed: seed of the resampling; the same values and seed give the same interval.

    Raises:
        ValueError: fewer than two values, another shape, or one that is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) < 2:
        raise ValueError(
            f"an interval of a mean needs at least two values in one row, got shape {sample.shape}"
        )
    if not np.isfinite(sample).all():
        raise ValueError(
            f"{int((~np.isfinite(sample)).sum())} of {len(sample)} values are NaN or infinite: "
            "drop failed episodes first, and look for the cause of the others"
        )
    found = stats.bootstrap(
        (sample,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=max(1, _NUMBERS_AT_ONCE // len(sample)),
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = found.confidence_interval
    return Interval(mean=float(sample.mean()), low=float(low), high=float(high))


def paired_difference(
    ours: Sequence[float] | npt.NDArray[np.float64],
    theirs: Sequence[float] | npt.NDArray[np.float64],
    *,
    seed: int,
) -> Interval:
    """The mean of ``ours - theirs`` on the same questions, with its bootstrap interval.

    Whole questions are resampled, so that their difficulty cancels out.

    Raises:
        ValueError: the two lengths differ, or as in :func:`mean_interval`.
    """
    if len(ours) != len(theirs):
        raise ValueError(
            f"a paired difference needs both results of every question, got {len(ours)} and "
            f"{len(theirs)}: drop a question from both where one of them failed"
        )
    difference = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    return mean_interval(difference, seed=seed)
