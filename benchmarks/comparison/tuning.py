"""Choose the sampling of every method that leaves it open, on validation questions.

Every method gets the same grid and the same questions, and about the same number of model calls: a
method that needs fewer calls per question answers each with more seeds. The temperature is chosen
first, at the neutral repetition penalty, then the penalty at that temperature. The winner has the
highest accuracy; among equals it is the one with fewer tokens, then the colder one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TypeAlias

from benchmarks.comparison.records import Record
from benchmarks.comparison.specs import (
    BestOfNCommitSpec,
    ChainOfThoughtSpec,
    DebateSpec,
    EconFixedSpec,
    SelfConsistencySpec,
    parse_spec,
)
from econ_env.llm.types import ModelError
from econ_env.questions.base import Question

TunableSpec: TypeAlias = (
    ChainOfThoughtSpec | SelfConsistencySpec | BestOfNCommitSpec | DebateSpec | EconFixedSpec
)
"""Spec of a method with a temperature and a repetition penalty."""

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
REPETITION_PENALTIES = (1.0, 1.1)


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Questions and grid of a tuning."""

    questions: tuple[Question, ...]
    temperatures: tuple[float, ...] = TEMPERATURES
    repetition_penalties: tuple[float, ...] = REPETITION_PENALTIES
    n_agents: int
    """Number of executors of a team."""

    def __post_init__(self) -> None:
        if not all(0 <= each <= 2 for each in self.temperatures):
            raise ValueError(f"temperatures must be from 0 to 2, got {self.temperatures}")
        if not all(0 < each < math.inf for each in self.repetition_penalties):
            raise ValueError(f"penalties must be above 0, got {self.repetition_penalties}")

    def seeds_of(self, spec: TunableSpec) -> tuple[int, ...]:
        """Return the run seeds of a method, so that all make about as many calls as a team."""
        return tuple(range(max(1, round((self.n_agents + 1) / calls_of(spec, self.n_agents)))))


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
    return None if keys & {"temperature", "repetition_penalty"} else spec


def calls_of(spec: TunableSpec, n_agents: int) -> int:
    """Return the number of model calls that a method makes for one question, at most."""
    match spec:
        case SelfConsistencySpec():
            return spec.k
        case BestOfNCommitSpec():
            return spec.n + 1
        case DebateSpec():
            return spec.agents * spec.rounds
        case EconFixedSpec():
            return (n_agents + 1) * spec.rounds
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
        ModelError: every question failed.
    """
    trials: dict[TunableSpec, Trial] = {}

    def best_of(candidates: Sequence[TunableSpec]) -> TunableSpec:
        for candidate in candidates:
            if candidate not in trials:
                trials[candidate] = _trial(candidate, ask(candidate))
        return min(
            candidates,
            key=lambda one: (-trials[one].accuracy, trials[one].tokens, one.temperature),
        )

    best = best_of([replace(spec, temperature=each) for each in tuning.temperatures])
    best = best_of([replace(best, repetition_penalty=each) for each in tuning.repetition_penalties])
    return Tuned(method=spec.canonical, chosen=best.canonical, trials=tuple(trials.values()))


def _trial(spec: TunableSpec, records: Sequence[Record]) -> Trial:
    finished = [record for record in records if record.failed is None]
    if not finished:
        raise ModelError(
            f"{spec.canonical}: every validation question failed, so that it cannot be tuned"
        )
    return Trial(
        method=spec.canonical,
        accuracy=fmean(record.correct for record in finished),
        tokens=fmean(record.usage.total_tokens for record in finished),
        calls=sum(record.usage.requests for record in finished),
        questions=len({record.question for record in finished}),
        seeds=len({record.seed for record in finished}),
    )
