"""What a comparison found, as plain data that tables and pictures are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.comparison.statistics import McNemar
from econ_agents.statistics import Interval
from econ_env.record_json import from_plain, to_plain


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What was compared, on what."""

    dataset: str
    llm: str
    methods: tuple[str, ...]
    """Specs as records name them, in the order of the table."""
    questions: int
    """Asked for, of every seed."""
    seeds: tuple[int, ...]
    budget_target: str | None = None
    """Spec of the method whose tokens others were matched to."""
    budget_matched: tuple[str, ...] = ()
    """Specs whose settings were chosen so that they spend as much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """What became of the questions, over all seeds."""

    finished: int
    correct: int
    unparseable: int
    """Finished without an answer that can be read; wrong."""
    timeout: int
    """Finished with an answer that the grader could not compare in time; wrong."""
    failed: int
    """A request failed: no result, counts for nothing."""
    missing: int
    """Not played yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedAccuracy:
    """The share that is right of one seed, with Wilson's interval."""

    seed: int
    accuracy: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """The share that is right: of one seed with Wilson's interval, of several a bootstrap's."""

    over_seeds: Interval
    """The mean over questions, seeds averaged per question first; the bootstrap draws questions."""
    by_seed: tuple[SeedAccuracy, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Accuracy minus that of another method on the same questions and seeds."""

    to: str
    """Spec of the other method."""
    pairs: int
    """Questions and seeds that both have a result of."""
    accuracy: Interval
    """In shares; a bootstrap over questions, seeds averaged per question first."""
    by_seed: tuple[McNemar, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What a question took: means over questions with a result, but for the last three."""

    calls: float
    prompt_tokens: float
    completion_tokens: float
    cached_tokens: float
    """Part of the prompt tokens."""
    tokens: float
    """Prompt and completion tokens."""
    tokens_to_target: float | None
    """Tokens as a multiple of those of the budget's target; None: there is none, or none spent."""
    cost_usd: float | None
    """None: the price of a model is not known."""
    wall_s: float
    longest_prompt_tokens: int
    """Prompt tokens of the longest request of all."""
    total_tokens: int
    """Of all questions and seeds together, failed ones included."""
    total_cost_usd: float | None
    """Of all questions and seeds together, failed ones included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """Where right answers came from and where they were lost. Shares are of accuracy's mean."""

    rounds: float
    """Mean rounds of a question."""
    by_round: tuple[float, ...]
    """Accuracy if the method had stopped after each round; a question that closed earlier keeps
    its answer."""
    first_vote: float | None
    """Accuracy of the majority of the first round's responses; None: never two responses."""
    oracle: float | None
    """Share of questions that any response of any round got right; None: as above."""
    unanimous: float | None
    """Share of questions whose last responses gave one answer; None: as above."""
    right_to_wrong: int | None
    """Questions and seeds whose answer was right after the first round and is wrong after the
    last; None: there was never a second round."""
    wrong_to_right: int | None
    overruled_right: int | None
    """Questions and seeds where the majority of the last responses is right, the answer wrong;
    None: never two responses."""
    overruled_wrong: int | None
    """... where that majority is wrong, the answer right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MethodReport:
    """One method. What is None, no result was there for."""

    method: str
    outcomes: Outcomes
    accuracy: Accuracy | None
    differences: tuple[Difference, ...]
    """To every reference but itself that it has a question and a seed in common with."""
    spending: Spending | None
    diagnosis: Diagnosis | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """All methods, in the order that ``about`` gives them in."""

    about: About
    references: tuple[str, ...]
    """Specs that differences are to."""
    methods: tuple[MethodReport, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data for a file."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_json(cls, data: Any, where: str) -> Comparison:
        """The inverse of :meth:`to_json`; ``ValueError`` names the place that is wrong."""
        return from_plain(cls, data, where)
