"""Equal tokens: how many samples or rounds cost what another method costs, by measuring it.

Nothing is computed from a formula of tokens: prompts shared by samples are read once on some
servers, conversations of a debate grow, models of a team write at different lengths. So a number
is tried on a pilot, the first questions of the comparison, and the next one follows from what was
measured. Whoever costs more on a question than the target's mean does so because the question is
long, which the target shows as well: that is taken out by regression on the target's own tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeAlias

import numpy as np

from benchmarks.comparison.records import Record
from benchmarks.comparison.specs import DebateSpec, SelfConsistencySpec, Spec, parse_spec
from econ_env.llm.types import ModelError

PILOT_SHARE = 0.05
"""Part of the questions that the pilot asks."""
PILOT_LEAST = 20
"""Questions of the pilot, where there are as many."""
MOST_SAMPLES = 256
MOST_ROUNDS = 10
LEAST_ROUNDS = 2
"""A debate of one round is none."""

Tokens: TypeAlias = Mapping[tuple[int, str], float]
"""Tokens by seed and question."""


@dataclass(frozen=True, kw_only=True)
class Knob:
    """The setting of a method by which its tokens are chosen."""

    spec: SelfConsistencySpec | DebateSpec
    least: int
    most: int

    def at(self, value: int) -> Spec:
        """The method at this value."""
        if isinstance(self.spec, SelfConsistencySpec):
            return replace(self.spec, k=value)
        return replace(self.spec, rounds=value)

    def setting(self, spec: Spec) -> str:
        """The setting in one of :meth:`at`, such as ``k=5``: canonical specs leave out defaults."""
        match spec:
            case SelfConsistencySpec():
                return f"k={spec.k}"
            case DebateSpec():
                return f"rounds={spec.rounds}"
        raise TypeError(f"{spec.canonical} has no number that a budget match chooses")


def knob_of(text: str) -> Knob | None:
    """The knob of a method as the user wrote it; None if it has none, or names it already."""
    spec = parse_spec(text)
    if isinstance(spec, SelfConsistencySpec):
        key, knob = "k", Knob(spec=spec, least=1, most=MOST_SAMPLES)
    elif isinstance(spec, DebateSpec):
        key, knob = "rounds", Knob(spec=spec, least=LEAST_ROUNDS, most=MOST_ROUNDS)
    else:
        return None
    settings = text.partition(":")[2].split(",")
    named = key in (setting.partition("=")[0].strip() for setting in settings)
    return None if named else knob


def pilot_size(questions: int) -> int:
    """How many of so many questions the pilot asks, of every seed."""
    return min(questions, max(PILOT_LEAST, math.ceil(PILOT_SHARE * questions)))


def tokens_of(records: Sequence[Record]) -> dict[tuple[int, str], float]:
    """Tokens of every question that has a result."""
    return {
        (record.seed, record.question): float(record.usage.total_tokens)
        for record in records
        if record.failed is None
    }


def match_budget(knob: Knob, target: Tokens, pilot: Callable[[Spec], Sequence[Record]]) -> Spec:
    """The method whose mean tokens come as near as possible to the target's.

    Args:
        knob: what is chosen, and of which method.
        target: tokens of the target on all questions.
        pilot: answers the questions of the pilot with a spec.

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
                f"{tried.canonical}: every question of the pilot failed, so its tokens are not "
                "known and cannot be matched"
            )
        return expected_mean(tokens, target)

    value = nearest(measure, fmean(target.values()), least=knob.least, most=knob.most)
    return knob.at(value)


def expected_mean(pilot: Tokens, target: Tokens) -> float:
    """Mean tokens to be expected on all questions of the target, from those of the pilot.

    A regression estimate: how much longer or shorter the pilot's questions are than all of them is
    known from the target, and counts as far as the pilot's tokens go along with the target's.
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
    """The whole number from ``least`` to ``most`` whose measure is nearest to ``target``.

    Args:
        measure: grows with its argument; asked as rarely as that allows, once per number.
        target: what is aimed at.
        least: smallest number.
        most: largest number.
    """
    below, under = least, measure(least)
    if under >= target or least == most:
        return least
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
            # Where nothing grew, no line leads on: doubling does not jump to the most at once.
            ahead = (target - under) / slope if slope > 0 else below
        else:
            ahead = (above - below) * (target - under) / (over - under)
        guess = min(max(below + math.floor(ahead), below + 1), above - 1)
    return below if target - under <= over - target else above
