"""Results of a method on one question, as plain records that are kept line by line."""

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
    """One question for a method to answer, and the seed of all random choices on it."""

    question: Question
    run_seed: int
    """Seed of the whole run, as the user gave it."""

    @property
    def seed(self) -> int:
        """Seed of this question in this run: equal for all methods, whatever is played before."""
        return derive_seed("compare", self.run_seed, self.question.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """Tokens and cost of some requests."""

    usage: Usage
    cost_usd: float | None
    """None if the price of a model is unknown."""
    longest_prompt_tokens: int
    """Prompt tokens of the longest request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """Answers of a method after one round of model calls."""

    answers: tuple[str | None, ...]
    """Answer of each response; None for a response without one."""
    value: str | None
    """Answer of the method if it stopped after this round; None without one."""
    usage: Usage
    """Tokens of this round; those spent before the first round (a strategy) count in the first."""
    answering: Bill | None = None
    """Part of the round that went into its answers, without the conclusion from them; None if the
    method does not tell these apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """Answer of a method to one question, round by round."""

    rounds: tuple[Round, ...]
    """Rounds in order, at least one."""
    closed_by: str = ""
    """Reason that there was no further round, for methods that have reasons; else empty."""

    @property
    def value(self) -> str | None:
        """Final answer; None without one."""
        return self.rounds[-1].value


@dataclass(frozen=True, kw_only=True, slots=True)
class GradedRound:
    """A graded round."""

    answers: tuple[str | None, ...]
    right: tuple[bool, ...]
    """True for each response whose answer is correct."""
    value: str | None
    value_right: bool
    vote_right: bool
    """True if the majority of the responses' answers is correct."""
    unanimous: bool
    """True if all responses gave the same answer."""
    usage: Usage
    answering: Bill | None = None
    """See :class:`Round`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One line of a comparison: a method, a seed, a question, and the result."""

    method: str
    """The method's spec, such as ``self_consistency:k=5``."""
    seed: int
    """``Item.run_seed``."""
    question: str
    """``Question.id``."""
    failed: str | None
    """Reason that there is no result, or None. With it, only tokens, cost and ``wall_s`` count."""
    verdict: str
    """Value of a :class:`~econ_env.grading.answers.Verdict`; empty after a failure."""
    rounds: tuple[GradedRound, ...]
    closed_by: str
    usage: Usage
    """All tokens spent, failed requests included."""
    cost_usd: float | None
    """None if the price of a model is unknown."""
    longest_prompt_tokens: int
    """Prompt tokens of the longest request."""
    wall_s: float
    """Duration of its batch in seconds, divided by the batch's number of questions."""

    @property
    def correct(self) -> bool:
        """True if the answer was graded as correct."""
        return self.verdict == Verdict.CORRECT.value

    @property
    def key(self) -> tuple[str, int, str]:
        """Method, seed and question: at most one result is kept for each."""
        return self.method, self.seed, self.question

    def to_json(self) -> dict[str, Any]:
        """Return plain data for one line of a file."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_json(cls, data: Any, where: str) -> Record:
        """Invert :meth:`to_json`; a ``ValueError`` names the place of a mistake."""
        return from_plain(cls, data, where)
