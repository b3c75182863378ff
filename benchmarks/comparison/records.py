"""What a method did with one question, as plain records that are kept line by line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from econ_env.grading.answers import Verdict
from econ_env.llm.types import Usage
from econ_env.questions.base import Question
from econ_env.record_json import from_plain, to_plain
from econ_env.seeds import derive_seed


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One question that a method answers, and the seed of every chance in it."""

    question: Question
    run_seed: int
    """Seed of the whole run, as the user gave it."""

    @property
    def seed(self) -> int:
        """Of this question in this run: the same for every method, whatever is played before."""
        return derive_seed("compare", self.run_seed, self.question.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """What some requests took."""

    usage: Usage
    cost_usd: float | None
    """None where the price of a model is not known."""
    longest_prompt_tokens: int
    """Prompt tokens of the longest request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """Where a method stood after one round of model calls."""

    answers: tuple[str | None, ...]
    """The answer that each response gave; None where it gave none."""
    value: str | None
    """What the method would have answered now."""
    usage: Usage
    """Spent in this round; what came before the first one (a strategy) counts in the first."""
    answering: Bill | None = None
    """Of this, what getting the answers took, without what was concluded from them; None where a
    method does not tell these apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """How a method answered one question."""

    rounds: tuple[Round, ...]
    """At least one."""
    closed_by: str = ""
    """Why there was no further round, where the method has reasons."""

    @property
    def value(self) -> str | None:
        """The answer."""
        return self.rounds[-1].value


@dataclass(frozen=True, kw_only=True, slots=True)
class GradedRound:
    """A round after grading."""

    answers: tuple[str | None, ...]
    right: tuple[bool, ...]
    """Whether each response's answer is correct."""
    value: str | None
    value_right: bool
    vote_right: bool
    """Whether the majority of the responses' answers is correct."""
    unanimous: bool
    """Whether all responses gave one and the same answer."""
    usage: Usage
    answering: Bill | None = None
    """As in :class:`Round`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One line of a comparison: a method, a seed, a question, and what came of it."""

    method: str
    """The method's spec, such as ``self_consistency:k=5``."""
    seed: int
    """``Item.run_seed``."""
    question: str
    """``Question.id``."""
    failed: str | None
    """Why there is no result: then nothing here but ``usage`` and ``wall_s`` means anything."""
    verdict: str
    """A :class:`~econ_env.grading.answers.Verdict` by its value; empty where it failed."""
    rounds: tuple[GradedRound, ...]
    closed_by: str
    usage: Usage
    """Everything spent, failed requests included."""
    cost_usd: float | None
    """None where the price of a model is not known."""
    longest_prompt_tokens: int
    """Prompt tokens of the longest request."""
    wall_s: float
    """Seconds of the batch that it was answered in, divided by the batch's questions."""

    @property
    def correct(self) -> bool:
        """Whether the answer is known to be right."""
        return self.verdict == Verdict.CORRECT.value

    @property
    def key(self) -> tuple[str, int, str]:
        """What there is one result of."""
        return self.method, self.seed, self.question

    def to_json(self) -> dict[str, Any]:
        """Plain data for one line of a file."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_json(cls, data: Any, where: str) -> Record:
        """The inverse of :meth:`to_json`; ``ValueError`` names the place that is wrong."""
        return from_plain(cls, data, where)
