"""What happened in an episode, as typed records that turn into JSON and back.

A transcript keeps every text that a model wrote, how it was sampled and what the game made of it.
It keeps no prompts: these follow from the records and the ``PromptSet``. Everything that reports
count (leaks, JSON rate, novel values, shortened prompts) is read from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from econ_env.llm.types import FinishReason, Role, Usage
from econ_env.questions.base import Question
from econ_env.record_json import from_plain, to_plain

ClosedBy = Literal["bne_rounds", "commitment_repeated", "no_deviation", "oscillation", "failed"]
"""Why a decision closed; ``failed`` when a request failed before it could."""

ParseMethod = Literal[
    "json", "repaired", "boxed", "last_number", "none", "copied", "consensus", "majority"
]
"""The way in which a commitment's value was read; ``copied`` where the reply repeated the prompt
and so had none; ``consensus`` and ``majority`` where no call was needed: all members agreed, or
more than half of them did (rule ``majority``)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StrategyRecord:
    """One plan of a coordinator."""

    agent: str
    role: Role
    model: str
    seed: int
    text: str
    """What the model wrote."""
    strategy: str
    """What the executors were given: ``text`` without a leaked answer."""
    leaked: bool
    """Whether ``text`` stated a final value and was cut there."""
    finish_reason: FinishReason
    error: str | None
    usage: Usage


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
    """The value extracted from ``text``; None where there is none."""
    finish_reason: FinishReason
    error: str | None
    usage: Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentRecord:
    """One conclusion of a coordinator, or of its members alone when they agree."""

    agent: str
    role: Role
    model: str
    members: tuple[str, ...]
    """Executors, or coordinators one level below, whose answers were concluded from."""
    value: str | None
    """The answer that stands; None where no value could be found."""
    reason: str
    """Why ``value`` stands: the coordinator's reason if ``value`` is its own, else a member's."""
    confidence: float | None
    """In [0, 1]; None where the coordinator gave none for ``value``."""
    checklist: dict[str, bool]
    parse_method: ParseMethod
    novel: bool
    """Rule ``guarded``: no member gave the coordinator's value, so the majority's stands."""
    text: str
    called: bool
    """False where the members agreed and no request was made."""
    seed: int
    finish_reason: FinishReason
    error: str | None
    usage: Usage


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
    """All executors respond, the coordinators conclude; the last commitment is the team's."""

    executors: tuple[ExecutorRecord, ...]
    commitments: tuple[CommitmentRecord, ...]
    shortened: tuple[ShortenedRecord, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SettledRewards:
    """What a decision was worth."""

    team: float
    agents: tuple[float, ...]
    """One reward per executor, in order."""
    components: dict[str, tuple[float, ...]]
    """Per component (``TS``, ``AL``, ``CC``), its value for every executor, unweighted."""
    team_components: dict[str, float]
    """The same components of the team reward; ``TS`` is 1 where the commitment is correct."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionRecord:
    """The rounds between two payments."""

    rounds: tuple[RoundRecord, ...]
    closed_by: ClosedBy | None
    """None while the decision is open."""
    rewards: SettledRewards | None
    """None until the decision is settled; stays None after a failure."""


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
    """The global strategy first, then one per group where there are several."""
    strategies_shortened: tuple[ShortenedRecord, ...]
    decisions: tuple[DecisionRecord, ...]
    failed: str | None
    """Why the episode was abandoned; None where it was not."""
    usage: Usage
    """Everything spent, failed requests included; a kept strategy counts like a new one."""

    def rounds(self) -> Iterator[RoundRecord]:
        """All rounds of all decisions, in the order they were played."""
        for decision in self.decisions:
            yield from decision.rounds

    @property
    def leaks(self) -> int:
        """Strategies that stated a final value and were cut."""
        return sum(record.leaked for record in self.strategies)

    @property
    def novel_values(self) -> int:
        """Commitments whose value no member gave (rule ``guarded``)."""
        return sum(c.novel for played in self.rounds() for c in played.commitments)

    @property
    def parse_methods(self) -> dict[ParseMethod, int]:
        """How often each parse method read a commitment; failed requests are left out."""
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
        """Share of the commitments asked of a model that were valid JSON; None without any."""
        methods = self.parse_methods
        calls = sum(methods.values()) - methods.get("consensus", 0) - methods.get("majority", 0)
        return methods.get("json", 0) / calls if calls else None

    @property
    def shortened(self) -> tuple[ShortenedRecord, ...]:
        """Everything that was cut to fit a context limit."""
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
