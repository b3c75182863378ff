"""The record of an episode, as typed records that convert to JSON and back.

A transcript keeps every text that a model wrote, its sampling settings and its interpretation by
the game, and what the model was asked (unless the setting ``keep_messages`` is off). The executors
of a group share a prompt, which only the first of them keeps; see :meth:`RoundRecord.messages_of`.
All counts in reports (leaks, JSON rate, novel values, shortened prompts) are read from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from econ_env.game.parsing import states_value
from econ_env.llm.types import FinishReason, Message, Role, Usage
from econ_env.questions.base import Question
from econ_env.record_json import from_plain, to_plain

ClosedBy = Literal["bne_rounds", "commitment_repeated", "no_deviation", "oscillation", "failed"]
"""Reason for closing a decision; ``failed`` if a request failed before it could close."""

ParseMethod = Literal[
    "json", "repaired", "boxed", "last_number", "none", "copied", "vote", "consensus", "majority"
]
"""Method by which a commitment's value was read. ``copied``: the reply repeated the prompt and so
had no value. ``vote``: the coordinator answered the question itself, and its answer, if it gave
one, was a vote (rule ``casting_vote``). ``consensus`` and ``majority``: no call was needed, since
all members agreed, or most of them did: more than half (rule ``majority``), or of the sound ones
(``checked``), or two more than for any other answer (``casting_vote``)."""

NOT_ASKED_FOR: tuple[ParseMethod, ...] = ("vote", "consensus", "majority")
"""Methods of commitments that no model was asked to write."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StrategyRecord:
    """One plan of a coordinator."""

    agent: str
    role: Role
    model: str
    seed: int
    text: str
    """Full text of the model."""
    strategy: str
    """Strategy given to the executors: ``text`` without a leaked answer."""
    leaked: bool
    """True if ``text`` stated a final value and was cut there."""
    finish_reason: FinishReason
    error: str | None
    usage: Usage
    messages: tuple[Message, ...] = ()
    """The prompt; empty if prompts are not kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutorRecord:
    """One response of an executor."""

    agent: str
    group: int
    model: str
    temperature: float
    repetition_penalty: float
    seed: int
    text: str
    answer: str | None
    """The value extracted from ``text``; None if there is none."""
    finish_reason: FinishReason
    error: str | None
    usage: Usage
    false_equations: tuple[str, ...] = ()
    """Equations of ``text`` that do not hold; looked for under the rule ``checked`` only."""
    messages: tuple[Message, ...] = ()
    """The prompt; empty if it is that of the executor before, or if prompts are not kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentRecord:
    """One conclusion of a coordinator, or of its members alone when they agree."""

    agent: str
    role: Role
    model: str
    members: tuple[str, ...]
    """Executors, or coordinators one level below, whose answers were read."""
    value: str | None
    """The answer that stands; None if no value was found."""
    reason: str
    """Reason for ``value``: the coordinator's if ``value`` is its own, else a member's."""
    confidence: float | None
    """Confidence in [0, 1]; None if the coordinator gave none for ``value``."""
    checklist: dict[str, bool]
    parse_method: ParseMethod
    novel: bool
    """True if no member gave the coordinator's value, so the majority replaced it (``guarded``)."""
    text: str
    called: bool
    """False if the members agreed and no request was made."""
    seed: int
    finish_reason: FinishReason
    error: str | None
    usage: Usage
    messages: tuple[Message, ...] = ()
    """The prompt; empty if no request was made, or if prompts are not kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShortenedRecord:
    """A part of a prompt that was cut to fit the context limit of a model."""

    agent: str
    role: Role
    part: Literal["responses", "strategy", "question"]
    tokens_before: int
    """Tokens of the whole prompt before this part was cut."""
    tokens_after: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundRecord:
    """Responses of all executors and commitments of the coordinators, the team's last."""

    executors: tuple[ExecutorRecord, ...]
    commitments: tuple[CommitmentRecord, ...]
    shortened: tuple[ShortenedRecord, ...] = ()

    def messages_of(self, executor: int) -> tuple[Message, ...]:
        """Return the prompt of executor number ``executor``; empty if prompts are not kept."""
        kept = (record.messages for record in self.executors[executor::-1] if record.messages)
        return next(kept, ())


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedRecord:
    """One answer, and how it was judged."""

    agent: str
    answer: str | None
    gold: str
    """The answer that it was compared with, as read from the question's gold answer."""
    verdict: Literal["correct", "incorrect", "unparseable", "timeout"]
    """See :class:`~econ_env.grading.verdict.Verdict`. Only ``correct`` counts as correct."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SettledRewards:
    """Rewards of a closed decision."""

    team: float
    agents: tuple[float, ...]
    """One reward per executor, in order."""
    components: dict[str, tuple[float, ...]]
    """Unweighted values of every executor, by component (``TS``, ``AL``, ``CC``)."""
    team_components: dict[str, float]
    """Unweighted components of the team reward; ``TS`` is 1 if the commitment is correct."""
    judged: tuple[JudgedRecord, ...] = ()
    """The answers of the last round: those of the executors, in order, then the commitment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionRecord:
    """The rounds of one decision, its reason for closing and its rewards."""

    rounds: tuple[RoundRecord, ...]
    closed_by: ClosedBy | None
    """None while the decision is open."""
    rewards: SettledRewards | None
    """None until the decision is settled; stays None after a failure, and without a gold answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transcript:
    """One episode. ``to_json`` gives plain data, ``from_json`` checks and rebuilds."""

    question: Question
    env_seed: int
    episode: int
    prompts: str
    """Name of the ``PromptSet``."""
    commitment_rule: str
    strategies: tuple[StrategyRecord, ...]
    """The global strategy first, then one per group if there are several."""
    strategies_shortened: tuple[ShortenedRecord, ...]
    decisions: tuple[DecisionRecord, ...]
    failed: str | None
    """Reason for abandoning the episode; None if it was not abandoned."""
    usage: Usage
    """Tokens and requests spent, failed requests included; a kept strategy counts as a new one."""

    def rounds(self) -> Iterator[RoundRecord]:
        """All rounds of all decisions, in the order they were played."""
        for decision in self.decisions:
            yield from decision.rounds

    @property
    def leaks(self) -> int:
        """Strategies that stated a final value and were cut."""
        return sum(record.leaked for record in self.strategies)

    @property
    def foretold(self) -> int:
        """Strategies that contain the value of the last commitment, though the question does not.

        Such a strategy may have handed the answer over; it may also be the first to compute it.
        """
        values = [played.commitments[-1].value for played in self.rounds() if played.commitments]
        value = values[-1] if values else None
        if value is None or states_value(self.question.text, value):
            return 0
        return sum(states_value(record.strategy, value) for record in self.strategies)

    @property
    def novel_values(self) -> int:
        """Commitments whose value no member gave (rule ``guarded``)."""
        return sum(c.novel for played in self.rounds() for c in played.commitments)

    @property
    def parse_methods(self) -> dict[ParseMethod, int]:
        """Number of commitments by parse method; failed requests are left out."""
        return dict(
            Counter(
                c.parse_method
                for played in self.rounds()
                for c in played.commitments
                if c.error is None
            )
        )

    @property
    def json_rate(self) -> float | None:
        """Share of valid JSON among the commitments asked of a model; None if none was asked.

        A coordinator with a vote (rule ``casting_vote``) is asked for an answer instead.
        """
        methods = self.parse_methods
        asked = sum(methods.values()) - sum([methods.get(name, 0) for name in NOT_ASKED_FOR])
        return methods.get("json", 0) / asked if asked else None

    @property
    def shortened(self) -> tuple[ShortenedRecord, ...]:
        """All parts of prompts that were cut to fit a context limit."""
        of_rounds = (record for played in self.rounds() for record in played.shortened)
        return (*self.strategies_shortened, *of_rounds)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings, numbers, booleans and None, for ``json.dumps``."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_json(cls, data: Any) -> Transcript:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: a key is missing or unknown, or a value has the wrong type; the message
                names the place, such as ``transcript.decisions[0].rounds``.
        """
        return from_plain(cls, data, "transcript")
