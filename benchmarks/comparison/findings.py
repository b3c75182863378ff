"""Results of a comparison, as plain data for tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.comparison.statistics import McNemar
from benchmarks.comparison.tuning import Tuned
from econ_agents.statistics import Interval
from econ_env.record_json import from_plain, to_plain

Finding = Literal["better", "worse", "as good", "open"]
"""Verdict on a difference. Better, worse: 0 is outside the interval and, for contrasts other than
the primary one, the p-value after Holm's correction is below 0.05. As good: the loss is smaller
than the margin, on at least 100 questions. Open: none of these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """Subject of a comparison: methods, models, questions and seeds."""

    dataset: str
    llm: str
    methods: tuple[str, ...]
    """Specs as in the records, in the order of the table."""
    questions: int
    """Number of questions planned for every seed."""
    seeds: tuple[int, ...]
    budget_target: str | None = None
    """Spec of the method whose tokens the others were matched to; None without a match."""
    budget_matched: tuple[str, ...] = ()
    """Specs whose settings were chosen to spend as many tokens as the target."""
    primary: tuple[str, str] | None = None
    """The contrast named before the run, as a method and the one that it is compared with."""
    split: str | None = None
    """Split of the data set that was played; None: not told."""
    skip_questions: int = 0
    """Number of questions at the start of the shuffle that were left out."""
    margin: float = 0.02
    """Loss of accuracy, as a share, that still counts as "as good as"."""
    tuned: tuple[Tuned, ...] = ()
    """Choices of the tuning, with what was tried."""
    trained_episodes: tuple[int, ...] = ()
    """Episodes of training of each seed's team, which are ECON's tuning; empty without one."""
    all_learned: bool = True
    """False if the networks of a trained team were never updated."""
    executors: int | None = None
    """Number of executors; None: not told."""
    with_strategy: bool = True
    """True if the coordinator of the game wrote a strategy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcomes:
    """Counts of questions by outcome, over all seeds."""

    finished: int
    correct: int
    unparseable: int
    """Finished without a readable answer; counts as wrong."""
    timeout: int
    """Finished with an answer that the grader could not compare in time; counts as wrong."""
    failed: int
    """A request failed: no result, not counted in any figure."""
    missing: int
    """Not played yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeedAccuracy:
    """Share of right answers of one seed, with Wilson's interval."""

    seed: int
    accuracy: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """Share of right answers: with Wilson's interval for one seed, a bootstrap's for several."""

    overall: Interval
    """Mean over questions of each question's mean over seeds; the bootstrap draws both."""
    by_seed: tuple[SeedAccuracy, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Difference of accuracy to another method on the same questions and seeds."""

    to: str
    """Spec of the other method."""
    pairs: int
    """Pairs of question and seed with results of both methods."""
    accuracy: Interval
    """This method's share minus the other's; a bootstrap over questions and seeds."""
    p: float
    """Two-sided p-value of no difference, from the same bootstrap."""
    p_holm: float | None
    """``p``, corrected by Holm's method for the number of contrasts; None for the primary one."""
    finding: Finding
    by_seed: tuple[McNemar, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """Mean spending per question with a result; the last three fields count all questions."""

    calls: float
    prompt_tokens: float
    completion_tokens: float
    cached_tokens: float
    """Prompt tokens read from a server's cache, included in ``prompt_tokens``."""
    tokens: float
    """Prompt and completion tokens."""
    tokens_to_target: float | None
    """Tokens as a multiple of the budget target's; None without a target, or if it spent none."""
    cost_usd: float | None
    """None if the price of a model is unknown."""
    wall_s: float
    longest_prompt_tokens: int
    """Prompt tokens of the longest request."""
    total_tokens: int
    """Tokens of all questions and seeds together, failed ones included."""
    total_cost_usd: float | None
    """Cost of all questions and seeds together, failed ones included; None as above."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """Sources and losses of right answers. Shares are means like that of accuracy."""

    rounds: float
    """Mean rounds of a question."""
    by_round: tuple[float, ...]
    """Accuracy if the method had stopped after each round; a question that closed earlier counts
    with its final answer."""
    first_vote: float | None
    """Accuracy of the first round's majority; None if no round had two responses."""
    oracle: float | None
    """Share of questions with a right response in any round; None if no round had two responses."""
    unanimous: float | None
    """Share of questions whose last responses all agree; None if no round had two responses."""
    right_to_wrong: int | None
    """Questions and seeds whose answer was right after the first round and is wrong after the
    last; None if there was never a second round."""
    wrong_to_right: int | None
    """Questions and seeds whose answer was wrong after the first round and is right after the
    last; None if there was never a second round."""
    overruled_right: int | None
    """Questions and seeds where the majority of the last responses is right and the answer wrong;
    None if no round had two responses."""
    overruled_wrong: int | None
    """Questions and seeds where the majority of the last responses is wrong and the answer right;
    None if no round had two responses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MethodReport:
    """Figures of one method; None for figures that have no result."""

    method: str
    outcomes: Outcomes
    accuracy: Accuracy | None
    differences: tuple[Difference, ...]
    """One for every other reference method that shares a question and seed with this one."""
    spending: Spending | None
    diagnosis: Diagnosis | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Difference of two arms of which one lacks a part of ECON."""

    part: str
    """Name of the part, such as "learning"."""
    ours: str
    theirs: str
    """Specs of the arm that has the part, and of the one without it."""
    pairs: int
    """Number of questions and seeds that both have answered."""
    accuracy: Interval
    """Difference in the share of right answers, with its 95% interval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """All methods, in the order of ``about.methods``."""

    about: About
    references: tuple[str, ...]
    """Specs of the methods that others are compared with."""
    methods: tuple[MethodReport, ...]
    parts: tuple[Part, ...] = ()
    """Worth of each part of ECON for which both arms were played."""

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a file."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_json(cls, data: Any, where: str) -> Comparison:
        """Invert :meth:`to_json`; a ``ValueError`` names the place of a mistake."""
        return from_plain(cls, data, where)
