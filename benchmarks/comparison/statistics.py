"""Results by question: the unit that is drawn again in every bootstrap here.

The seeds of one question go together, because a hard question is hard under every seed: counting
them as separate results would make intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import stats

from benchmarks.comparison.records import Record
from econ_agents.statistics import Interval, mean_interval, proportion_interval

ByQuestion: TypeAlias = Mapping[str, Mapping[int, float]]
"""Question to run seed to a value; seeds without a result are not in it, nor are questions."""

RESAMPLING_SEED = 0
"""Of every bootstrap: the same records give the same intervals to the last digit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class McNemar:
    """Two methods on the questions of one seed, where only one of them was right."""

    seed: int
    pairs: int
    """Questions that both have a result of."""
    ours_only: int
    theirs_only: int
    p: float
    """Exact and two-sided: the chance of so uneven a split if both were equally good."""


def by_question(records: Iterable[Record], value: Callable[[Record], float]) -> ByQuestion:
    """``value`` of every record that did not fail, in the order of the questions' names.

    So nothing that follows depends on the order of the records.
    """
    found: dict[str, dict[int, float]] = {}
    for record in sorted(records, key=lambda record: (record.question, record.seed)):
        if record.failed is None:
            found.setdefault(record.question, {})[record.seed] = float(value(record))
    return found


def mean(values: ByQuestion) -> float:
    """The mean over questions of the mean over a question's seeds.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there is no mean of no results")
    return float(np.mean(_question_means(values)))


def accuracy_interval(correct: ByQuestion) -> Interval:
    """The share that is right, with its 95% interval.

    Of one seed that of Wilson; of several a bootstrap over questions. Where every result is right,
    or every one wrong, a bootstrap draws the same again and again and would claim certainty: then
    it is Wilson's, of the questions.

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
    """The share of one seed that is right, with Wilson's 95% interval.

    Raises:
        ValueError: the seed has no results.
    """
    results = [by_seed[seed] for by_seed in correct.values() if seed in by_seed]
    return proportion_interval(int(sum(results)), len(results))


def seeds_of(values: ByQuestion) -> list[int]:
    """Every seed that has a value, in ascending order."""
    return sorted({seed for by_seed in values.values() for seed in by_seed})


def paired_interval(ours: ByQuestion, theirs: ByQuestion) -> Interval:
    """The mean of ours minus theirs over what both have, with a bootstrap over questions.

    Raises:
        ValueError: they have no question and seed in common.
    """
    return _interval(_differences(ours, theirs), lowest=-1.0, highest=1.0)


def pairs_of(ours: ByQuestion, theirs: ByQuestion) -> int:
    """Questions and seeds that both have a value of."""
    return sum(len(by_seed) for by_seed in _differences(ours, theirs).values())


def mcnemar(ours: ByQuestion, theirs: ByQuestion) -> tuple[McNemar, ...]:
    """The exact test of McNemar (1947) of every seed on its own, in ascending order."""
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
        # Nothing can be resampled: one question leaves everything possible.
        return Interval(mean=mean(values), low=lowest, high=highest)
    return mean_interval(_question_means(values), seed=RESAMPLING_SEED)


def _question_means(values: ByQuestion) -> list[float]:
    return [float(np.mean(list(by_seed.values()))) for by_seed in values.values()]
