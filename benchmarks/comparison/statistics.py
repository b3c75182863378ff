"""Statistics of results by question and team.

A run seed is a team: a training of its own if a policy was trained, else a play of its own. Results
of one question are alike under every seed, and results of one team are alike on every question, so
a bootstrap draws both, teams and questions, independently (a two-way bootstrap, Owen, 2007).
Counting every pair as a separate result would make intervals too narrow. With one team there is
nothing to draw teams from: intervals then speak of this team alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.comparison.records import Record
from econ_agents.statistics import CONFIDENCE, RESAMPLES, Interval, proportion_interval

ByQuestion: TypeAlias = Mapping[str, Mapping[int, float]]
"""Value by question and run seed; seeds and questions without a result are missing."""

_AT_ONCE = 500
"""Number of resamples that are held in memory at once."""
_ROUNDING = 1e-12

RESAMPLING_SEED = 0
"""Seed of every bootstrap, so that the same records give the same intervals to the last digit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """Difference of two methods on the same questions and teams."""

    interval: Interval
    p: float
    """Two-sided p-value of no difference, from the bootstrap's distribution."""


@dataclass(frozen=True, kw_only=True, slots=True)
class McNemar:
    """McNemar's test of two methods on the questions of one seed."""

    seed: int
    pairs: int
    """Questions with results of both methods."""
    ours_only: int
    """Questions that only our method got right."""
    theirs_only: int
    """Questions that only the other method got right."""
    p: float
    """Exact two-sided p-value: chance of a split this uneven if both were equally good."""


def by_question(records: Iterable[Record], value: Callable[[Record], float]) -> ByQuestion:
    """Return ``value`` of every record that did not fail, sorted by question and seed.

    Sorting makes all later results independent of the order of the records.
    """
    found: dict[str, dict[int, float]] = {}
    for record in sorted(records, key=lambda record: (record.question, record.seed)):
        if record.failed is None:
            found.setdefault(record.question, {})[record.seed] = float(value(record))
    return found


def mean(values: ByQuestion) -> float:
    """Return the mean over questions of each question's mean over seeds.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there are no results to take a mean of")
    return float(np.mean(_question_means(values)))


def accuracy_interval(correct: ByQuestion) -> Interval:
    """Return the share of right answers with its 95% interval.

    The interval is Wilson's for one seed, and a two-way bootstrap for several. If all results are
    right, or all wrong, every resample is the same and the bootstrap would claim certainty: then it
    is Wilson's, over the questions.

    Raises:
        ValueError: there are no results.
    """
    seeds = seeds_of(correct)
    if len(seeds) == 1:
        return seed_interval(correct, seeds[0])
    means = set(_question_means(correct))
    if len(correct) > 1 and means in ({0.0}, {1.0}):
        return proportion_interval(len(correct) * int(means.pop()), len(correct))
    return _interval(correct, lowest=0.0, highest=1.0)


def seed_interval(correct: ByQuestion, seed: int) -> Interval:
    """Return the share of right answers of one seed, with Wilson's 95% interval.

    Raises:
        ValueError: the seed has no results.
    """
    results = [by_seed[seed] for by_seed in correct.values() if seed in by_seed]
    return proportion_interval(int(sum(results)), len(results))


def seeds_of(values: ByQuestion) -> list[int]:
    """Return every seed that has a value, in ascending order."""
    return sorted({seed for by_seed in values.values() for seed in by_seed})


def paired_contrast(ours: ByQuestion, theirs: ByQuestion) -> Contrast:
    """Return the mean of ours minus theirs over common results, by a bootstrap over both.

    If all differences are equal, every resample is the same and the bootstrap would claim
    certainty: then the interval reaches as far as Wilson's for a share of 0 of these questions, and
    p is that of the sign test.

    Raises:
        ValueError: they have no question and seed in common.
    """
    differences = _differences(ours, theirs)
    interval = _interval(differences, lowest=-1.0, highest=1.0)
    if len(differences) == 1:
        return Contrast(interval=interval, p=1.0)
    found = {value for by_seed in differences.values() for value in by_seed.values()}
    if len(found) == 1:
        mean, reach = found.pop(), proportion_interval(0, len(differences)).high
        around = Interval(mean=mean, low=max(-1.0, mean - reach), high=min(1.0, mean + reach))
        return Contrast(interval=around, p=2 * 0.5 ** len(differences) if mean else 1.0)
    means = _resampled_means(differences)
    # A mean of differences that cancel is 0 up to rounding.
    below, above = np.sum(means <= _ROUNDING), np.sum(means >= -_ROUNDING)
    p = (2 * min(below, above) + 1) / (len(means) + 1)
    return Contrast(interval=interval, p=min(1.0, float(p)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by the method of Holm (1979), in their order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def questions_of(ours: ByQuestion, theirs: ByQuestion) -> int:
    """Return the number of questions that both have a value for under a common seed."""
    return len(_differences(ours, theirs))


def pairs_of(ours: ByQuestion, theirs: ByQuestion) -> int:
    """Return the number of pairs of question and seed that both have a value for."""
    return sum(len(by_seed) for by_seed in _differences(ours, theirs).values())


def mcnemar(ours: ByQuestion, theirs: ByQuestion) -> tuple[McNemar, ...]:
    """Return the exact test of McNemar (1947) for each seed, in ascending order."""
    differences = _differences(ours, theirs)
    return tuple(
        _mcnemar_of(seed, [found[seed] for found in differences.values() if seed in found])
        for seed in seeds_of(differences)
    )


def _mcnemar_of(seed: int, differences: list[float]) -> McNemar:
    ours_only, theirs_only = differences.count(1.0), differences.count(-1.0)
    split = ours_only + theirs_only
    return McNemar(
        seed=seed,
        pairs=len(differences),
        ours_only=ours_only,
        theirs_only=theirs_only,
        p=float(stats.binomtest(ours_only, split).pvalue) if split else 1.0,
    )


def _differences(ours: ByQuestion, theirs: ByQuestion) -> ByQuestion:
    both = {
        question: {
            seed: value - theirs[question][seed]
            for seed, value in by_seed.items()
            if seed in theirs[question]
        }
        for question, by_seed in ours.items()
        if question in theirs
    }
    return {question: by_seed for question, by_seed in both.items() if by_seed}


def _interval(values: ByQuestion, *, lowest: float, highest: float) -> Interval:
    if len(values) == 1:
        # One question cannot be resampled: its interval is the whole range.
        return Interval(mean=mean(values), low=lowest, high=highest)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(_resampled_means(values), [tail, 100 - tail])
    return Interval(mean=mean(values), low=float(low), high=float(high))


def _resampled_means(values: ByQuestion) -> NDArray[np.float64]:
    """Return the means of resamples, each drawn from the teams and from the questions.

    As in :func:`mean`, a question with fewer results weighs as much as any other.
    """
    teams, rng = seeds_of(values), np.random.default_rng(RESAMPLING_SEED)
    # (teams, questions); a missing value adds nothing to its question's sum and count.
    table = np.array([[row.get(team, np.nan) for row in values.values()] for team in teams])
    known = ~np.isnan(table)
    table = np.where(known, table, 0.0)
    n_teams, n_questions = table.shape
    means: list[NDArray[np.float64]] = []
    for start in range(0, RESAMPLES, _AT_ONCE):
        count = min(_AT_ONCE, RESAMPLES - start)
        chosen_teams = rng.multinomial(n_teams, [1 / n_teams] * n_teams, size=count)
        chosen = rng.multinomial(n_questions, [1 / n_questions] * n_questions, size=count)
        sums, counts = chosen_teams @ table, chosen_teams @ known
        weights = chosen * (counts > 0)
        totals = (weights * (sums / np.maximum(counts, 1))).sum(axis=1)
        some = weights.sum(axis=1)
        means.append(totals[some > 0] / some[some > 0])
    return np.concatenate(means)


def _question_means(values: ByQuestion) -> list[float]:
    return [float(np.mean(list(by_seed.values()))) for by_seed in values.values()]
