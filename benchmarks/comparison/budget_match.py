"""Choose the number of samples or rounds that costs as many tokens as another method, by measuring.

No formula predicts tokens well: some servers read a prompt shared by samples only once, the
conversations of a debate grow, and models of a team write at different lengths. So a number is
tried on a pilot, the first questions of the comparison, and the measured tokens lead to the next
number. The pilot's questions may be longer or shorter than all questions. The target's tokens show
by how much, and a regression on them corrects the pilot's mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeAlias

import numpy as np

from benchmarks.comparison.records import Record
from benchmarks.comparison.specs import (
    BestOfNCommitSpec,
    DebateSpec,
    SelfConsistencySpec,
    Spec,
    parse_spec,
)
from econ_env.llm.types import ModelError

PILOT_SHARE = 0.05
"""Share of the questions that the pilot asks."""
PILOT_LEAST = 20
"""Smallest number of pilot questions, if the comparison has that many."""
MOST_SAMPLES = 256
LEAST_COMPARED = 2
"""Smallest number of samples that a coordinator concludes from: one is an answer."""
MOST_ROUNDS = 10
LEAST_ROUNDS = 2
"""Smallest number of rounds of a debate: one round is a vote."""

Tokens: TypeAlias = Mapping[tuple[int, str], float]
"""Tokens by seed and question."""


@dataclass(frozen=True, kw_only=True)
class Knob:
    """The setting of a method that a budget match chooses, and its range."""

    spec: SelfConsistencySpec | BestOfNCommitSpec | DebateSpec
    least: int
    most: int

    def of(self, spec: Spec) -> Knob:
        """Return this knob for the same method with another sampling."""
        if not isinstance(spec, SelfConsistencySpec | BestOfNCommitSpec | DebateSpec):
            raise TypeError(f"{spec.canonical} has no number that a budget match chooses")
        return replace(self, spec=spec)

    def at(self, value: int) -> Spec:
        """Return the method with this value."""
        if isinstance(self.spec, SelfConsistencySpec):
            return replace(self.spec, k=value)
        if isinstance(self.spec, BestOfNCommitSpec):
            return replace(self.spec, n=value)
        return replace(self.spec, rounds=value)

    def setting(self, spec: Spec) -> str:
        """Return the setting of a spec made by :meth:`at`, such as ``k=5``, even if a default."""
        match spec:
            case SelfConsistencySpec():
                return f"k={spec.k}"
            case BestOfNCommitSpec():
                return f"n={spec.n}"
            case DebateSpec():
                return f"rounds={spec.rounds}"
        raise TypeError(f"{spec.canonical} has no number that a budget match chooses")


def knob_of(text: str) -> Knob | None:
    """Return the knob of a method as the user wrote it; None if there is none, or it is set."""
    spec = parse_spec(text)
    if isinstance(spec, SelfConsistencySpec):
        key, knob = "k", Knob(spec=spec, least=1, most=MOST_SAMPLES)
    elif isinstance(spec, BestOfNCommitSpec):
        key, knob = "n", Knob(spec=spec, least=LEAST_COMPARED, most=MOST_SAMPLES)
    elif isinstance(spec, DebateSpec):
        key, knob = "rounds", Knob(spec=spec, least=LEAST_ROUNDS, most=MOST_ROUNDS)
    else:
        return None
    settings = text.partition(":")[2].split(",")
    named = key in (setting.partition("=")[0].strip() for setting in settings)
    return None if named else knob


def pilot_size(questions: int) -> int:
    """Return the number of questions that the pilot asks for every seed."""
    return min(questions, max(PILOT_LEAST, math.ceil(PILOT_SHARE * questions)))


def tokens_of(records: Sequence[Record]) -> dict[tuple[int, str], float]:
    """Return the tokens of every seed and question that has a result."""
    return {
        (record.seed, record.question): float(record.usage.total_tokens)
        for record in records
        if record.failed is None
    }


def match_budget(knob: Knob, target: Tokens, pilot: Callable[[Spec], Sequence[Record]]) -> Spec:
    """Return the method whose mean tokens come as near as possible to the target's.

    Args:
        knob: the setting to choose, and its method.
        target: tokens of the target on all questions.
        pilot: function that answers the pilot's questions with a spec.

    Raises:
        ModelError: there is nothing to measure, because every request failed.
    """
    if not target:
        raise ModelError("no question of the budget's target has a result: there is no budget")

    def measure(value: int) -> float:
        tried = knob.at(value)
        tokens = tokens_of(pilot(tried))
        if not tokens:
            raise ModelError(
                f"{tried.canonical}: every question of the pilot failed, so its tokens are unknown "
                "and cannot be matched"
            )
        return expected_mean(tokens, target)

    value = nearest(measure, fmean(target.values()), least=knob.least, most=knob.most)
    return knob.at(value)


def expected_mean(pilot: Tokens, target: Tokens) -> float:
    """Estimate the mean tokens on all questions of the target from the tokens on the pilot.

    A regression estimate: the target's tokens tell how much longer or shorter all questions are
    than the pilot's. This difference counts as far as the pilot's tokens vary with the target's.
    """
    shared = [key for key in pilot if key in target]
    mean = fmean(pilot.values())
    if len(shared) < 3:
        return mean
    ours = np.array([pilot[key] for key in shared])
    theirs = np.array([target[key] for key in shared])
    variance = theirs.var()
    if variance == 0:
        return mean
    slope = np.mean((ours - ours.mean()) * (theirs - theirs.mean())) / variance
    return mean + float(slope) * (fmean(target.values()) - float(theirs.mean()))


def nearest(measure: Callable[[int], float], target: float, *, least: int, most: int) -> int:
    """Return the whole number from ``least`` to ``most`` whose measure is nearest to ``target``.

    Args:
        measure: function that grows with its argument; called at most once per number, and for
            as few numbers as possible.
        target: measure to come near to.
        least: smallest number.
        most: largest number.
    """
    below, under = least, measure(least)
    if under >= target or least == most:
        return least
    # The answer lies between below and above. The next guess follows the line through the last two
    # measurements until one exceeds the target, and interpolates between the two ends from then on.
    above, over = most + 1, math.inf
    slope, guess = 0.0, least + 1
    while above - below > 1:
        value = measure(guess)
        if value >= target:
            above, over = guess, value
        else:
            slope = (value - under) / (guess - below)
            below, under = guess, value
        if math.isinf(over):
            # Without growth there is no line to follow: double, rather than jump to the most.
            ahead = (target - under) / slope if slope > 0 else below
        else:
            ahead = (above - below) * (target - under) / (over - under)
        guess = min(max(below + math.floor(ahead), below + 1), above - 1)
    return below if target - under <= over - target else above
