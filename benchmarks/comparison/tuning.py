"""Choose the sampling of every method that leaves it open, on validation questions.

Every method gets the same grid and the same questions, and about the same number of model calls: a
method that needs fewer calls per question answers each with more seeds. The temperature is chosen
first, at the neutral repetition penalty, then the penalty at that temperature. ``econ_profile``
goes on from there with one executor after the other, so that it makes more calls than the others.
The winner has the highest accuracy; among equals it is the one with fewer tokens, then the colder
one. Settings are compared on the answers that all of them gave: a failed request is not a wrong
answer, and not a way to win.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from typing import Any, TypeAlias

from benchmarks.comparison.chosen_questions import sha256_of
from benchmarks.comparison.records import Record
from benchmarks.comparison.specs import (
    BestOfNCommitSpec,
    ChainOfThoughtSpec,
    DebateSpec,
    EconFixedSpec,
    EconProfileSpec,
    SelfConsistencySpec,
    parse_spec,
)
from econ_env.game.coordinator_tree import build_tree
from econ_env.llm.types import ModelError
from econ_env.questions.base import Question

TunableSpec: TypeAlias = (
    ChainOfThoughtSpec
    | SelfConsistencySpec
    | BestOfNCommitSpec
    | DebateSpec
    | EconFixedSpec
    | EconProfileSpec
)
"""Spec of a method with a temperature and a repetition penalty."""

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
REPETITION_PENALTIES = (1.0, 1.1)
LEAST_ANSWERED = 0.9
"""Least share of its questions that a setting must have answered to be chosen."""
_TEMPERATURE = ("temperature", "temperatures")
_PENALTY = ("repetition_penalty", "repetition_penalties")
"""Key of a setting of all executors, and of the list of each executor's own."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Questions and grid of a tuning."""

    questions: tuple[Question, ...]
    temperatures: tuple[float, ...] = TEMPERATURES
    repetition_penalties: tuple[float, ...] = REPETITION_PENALTIES
    n_agents: int
    """Number of executors of a team."""
    with_strategy: bool
    """True if the coordinators of a team write strategies."""

    def __post_init__(self) -> None:
        if not all(0 <= each <= 2 for each in self.temperatures):
            raise ValueError(f"temperatures must be from 0 to 2, got {self.temperatures}")
        if not all(0 < each < math.inf for each in self.repetition_penalties):
            raise ValueError(f"penalties must be above 0, got {self.repetition_penalties}")

    def seeds_of(self, spec: TunableSpec) -> tuple[int, ...]:
        """Return the run seeds of a method, so that all make about as many calls as a team."""
        team = calls_of(EconFixedSpec(), self)
        return tuple(range(max(1, round(team / calls_of(spec, self)))))

    def start_of(self, spec: TunableSpec) -> TunableSpec:
        """Return the setting that the search begins with: neutral in the penalty, if it may be."""
        temperature, penalties = self.temperatures[0], self.repetition_penalties
        penalty = 1.0 if 1.0 in penalties else penalties[0]
        if isinstance(spec, EconProfileSpec):
            return replace(
                spec,
                temperatures=(temperature,) * self.n_agents,
                repetition_penalties=(penalty,) * self.n_agents,
            )
        return replace(spec, temperature=temperature, repetition_penalty=penalty)

    def settings_of(self, spec: TunableSpec) -> int:
        """Return the largest number of settings that are tried for a method."""
        others = len(self.temperatures) - 1 + len(self.repetition_penalties) - 1
        steps = 1 + self.n_agents if isinstance(spec, EconProfileSpec) else 1
        return 1 + steps * others

    def to_json(self) -> dict[str, Any]:
        """Return all that a choice depends on, with a checksum instead of the questions."""
        return {
            "questions": len(self.questions),
            "questions_sha256": sha256_of(self.questions),
            "temperatures": list(self.temperatures),
            "repetition_penalties": list(self.repetition_penalties),
        }


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Result of one setting on the validation questions."""

    method: str
    """Canonical spec."""
    accuracy: float
    """Share of right answers, in [0, 1]."""
    tokens: float
    """Mean tokens per question."""
    calls: int
    """Model calls of all questions and seeds."""
    questions: int
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Choice of a tuning, with everything that was tried."""

    method: str
    """Canonical spec with its sampling left open."""
    chosen: str
    """Canonical spec of the best setting."""
    trials: tuple[Trial, ...]

    @property
    def calls(self) -> int:
        """Model calls of all trials."""
        return sum(trial.calls for trial in self.trials)


def open_spec(text: str) -> TunableSpec | None:
    """Return the spec of a method as the user wrote it if its sampling is left open, else None."""
    spec = parse_spec(text)
    if not isinstance(spec, TunableSpec):
        return None
    keys = {setting.partition("=")[0].strip() for setting in text.partition(":")[2].split(",")}
    return None if keys & {*_TEMPERATURE, *_PENALTY} else spec


def calls_of(spec: TunableSpec, tuning: Tuning) -> int:
    """Return the number of model calls that a method makes for one question, at most."""
    match spec:
        case SelfConsistencySpec():
            return spec.k
        case BestOfNCommitSpec():
            return spec.n + 1
        case DebateSpec():
            return spec.agents * spec.rounds
        case EconFixedSpec() | EconProfileSpec():
            # One round: who repeats an action wants no other one, which ends the decision.
            tree = build_tree(tuning.n_agents, spec.group_size)
            strategies = len({*tree.groups, tree.nodes[-1]}) if tuning.with_strategy else 0
            return tuning.n_agents + len(tree.nodes) + strategies
    return 1


def tune(
    spec: TunableSpec, tuning: Tuning, ask: Callable[[TunableSpec], Sequence[Record]]
) -> Tuned:
    """Return the best setting of a method, and all settings that were tried.

    Args:
        spec: the method; its temperature and penalty are replaced.
        tuning: the grid.
        ask: function that answers the validation questions with a setting.

    Raises:
        ModelError: every question failed, or too many of each setting.
    """
    tried: dict[TunableSpec, _Tried] = {}

    def best_of(candidates: Sequence[TunableSpec]) -> TunableSpec:
        for candidate in candidates:
            if candidate not in tried:
                tried[candidate] = _Tried.of(ask(candidate))
        allowed = [each for each in candidates if tried[each].share_answered >= LEAST_ANSWERED]
        if not any(tried[each].answered for each in candidates):
            raise ModelError(
                f"{spec.canonical}: every validation question failed, so that it cannot be tuned"
            )
        if not allowed:
            raise ModelError(
                f"{spec.canonical}: more than {1 - LEAST_ANSWERED:.0%} of the validation questions "
                "failed at every setting, so that it cannot be tuned"
            )
        common = frozenset.intersection(*(frozenset(tried[each].answered) for each in allowed))
        if not common:
            raise ModelError(
                f"{spec.canonical}: no validation question was answered at every setting, so that "
                "it cannot be tuned"
            )
        return min(allowed, key=lambda one: (*tried[one].loss(common), _warmth(one)))

    best = tuning.start_of(spec)
    for step in _steps(tuning, profile=isinstance(spec, EconProfileSpec)):
        best = best_of(step(best))
    trials = tuple(one.trial(setting) for setting, one in tried.items())
    return Tuned(method=spec.canonical, chosen=best.canonical, trials=trials)


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """Answers of one setting."""

    records: tuple[Record, ...]
    answered: dict[tuple[int, str], Record]
    """Records that did not fail, by seed and question."""

    @classmethod
    def of(cls, records: Sequence[Record]) -> _Tried:
        answered = {(one.seed, one.question): one for one in records if one.failed is None}
        return cls(records=tuple(records), answered=answered)

    @property
    def share_answered(self) -> float:
        return len(self.answered) / len(self.records)

    def loss(self, common: Set[tuple[int, str]]) -> tuple[float, float]:
        """Return minus the right answers, and the tokens, of some seeds and questions."""
        records = [self.answered[key] for key in sorted(common)]
        return (
            -float(sum(record.correct for record in records)),
            float(sum(record.usage.total_tokens for record in records)),
        )

    def trial(self, spec: TunableSpec) -> Trial:
        finished = list(self.answered.values())
        return Trial(
            method=spec.canonical,
            accuracy=fmean(record.correct for record in finished) if finished else 0.0,
            tokens=fmean(record.usage.total_tokens for record in finished) if finished else 0.0,
            calls=sum(record.usage.requests for record in self.records),
            questions=len({record.question for record in finished}),
            seeds=len({record.seed for record in finished}),
        )


Step: TypeAlias = Callable[[TunableSpec], list[TunableSpec]]
"""Function from the best setting so far to the settings that are tried next."""


def _steps(tuning: Tuning, *, profile: bool) -> Iterator[Step]:
    """Yield the steps of the search: for all executors together, then for one after the other."""
    everyone = range(tuning.n_agents)
    for executors in [everyone, *([index] for index in everyone)] if profile else [everyone]:
        yield partial(_with, _TEMPERATURE, tuning.temperatures, executors)
        yield partial(_with, _PENALTY, tuning.repetition_penalties, executors)


def _with(
    names: tuple[str, str], values: Sequence[float], executors: Iterable[int], best: TunableSpec
) -> list[TunableSpec]:
    """Return ``best`` with every one of ``values`` in one of its settings, for some executors."""
    shared, own = names

    def changed_to(value: float) -> TunableSpec:
        change: dict[str, Any] = {shared: value}
        if isinstance(best, EconProfileSpec):
            change = {own: _changed(getattr(best, own), executors, value)}
        return replace(best, **change)

    return [changed_to(value) for value in values]


def _changed(values: Sequence[float], indices: Iterable[int], value: float) -> tuple[float, ...]:
    changed = list(values)
    for index in indices:
        changed[index] = value
    return tuple(changed)


def _warmth(spec: TunableSpec) -> float:
    if isinstance(spec, EconProfileSpec):
        return fmean(spec.temperatures)
    return spec.temperature
