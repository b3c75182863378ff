"""Games as a page shows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Tokens and requests spent."""

    prompt: int = 0
    completion: int = 0
    requests: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            prompt=self.prompt + other.prompt,
            completion=self.completion + other.completion,
            requests=self.requests + other.requests,
        )

    @property
    def total(self) -> int:
        """Tokens of prompts and completions together."""
        return self.prompt + self.completion


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message of a prompt, as it was sent."""

    role: str
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Strategy:
    """One plan of a coordinator."""

    agent: str
    model: str
    text: str
    """Text that the executors were given."""
    cut: str
    """Text that was cut from its end; "" if nothing was."""
    leaked: bool
    """True if it stated an answer and was cut there."""
    error: str | None
    tokens: Tokens
    messages: tuple[Message, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """One response of an executor."""

    agent: str
    model: str
    temperature: float | None
    repetition_penalty: float | None
    text: str
    answer: str | None
    correct: bool | None
    """Verdict on ``answer``; None if it is not known."""
    false_equations: tuple[str, ...]
    """Equations in ``text`` that do not hold, as far as they were looked for."""
    error: str | None
    tokens: Tokens
    messages: tuple[Message, ...]
    """The prompt; () if it is that of the response before, or is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Commitment:
    """One conclusion of a coordinator, or of its members without a call."""

    agent: str
    model: str
    members: tuple[str, ...]
    value: str | None
    correct: bool | None
    """Verdict on ``value``; None if it is not known."""
    reason: str
    confidence: float | None
    checklist: tuple[str, ...]
    """Points of the coordinator's own check, as in ``agree: yes``."""
    method: str
    """Method by which the value was read, as in ``json`` or ``consensus``."""
    novel: bool
    """True if no member gave the coordinator's value, so the majority replaced it."""
    text: str
    called: bool
    """False if no model was asked."""
    error: str | None
    tokens: Tokens
    messages: tuple[Message, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortened:
    """A part of a prompt that was cut to fit a model's context limit."""

    agent: str
    part: str
    tokens_before: int
    tokens_after: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """Responses of all executors and commitments of the coordinators, the team's last."""

    responses: tuple[Response, ...]
    commitments: tuple[Commitment, ...]
    shortened: tuple[Shortened, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reward:
    """Reward of an executor or of the team, with its unweighted components by name."""

    agent: str
    reward: float
    components: dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The rounds of one decision, its reason for closing and its rewards, the team's last."""

    rounds: tuple[Round, ...]
    closed_by: str | None
    rewards: tuple[Reward, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Game:
    """One game, with what a list of games shows, filters and sorts by."""

    number: int
    """Number of the game on its page, from 1: ``#game-7`` leads to game 7."""
    source: str
    """Name of the file that it comes from."""
    id: str
    """Name of the question in its data set."""
    question: str
    gold: str
    """The right answer as others were compared with it, else as the data set gives it; "" if nobody
    knows it, so that nothing is judged."""
    kind: str
    episode: int
    strategies: tuple[Strategy, ...]
    shortened: tuple[Shortened, ...]
    decisions: tuple[Decision, ...]
    failed: str | None
    """Reason for abandoning the game; None if it was not abandoned."""
    tokens: Tokens
    answer: str | None
    """Value of the last commitment."""
    correct: bool | None
    """Verdict on ``answer``; None if it is not known, or the game failed."""
    flipped: str | None
    """Change from the first commitment's verdict to the last one's, as in ``right to wrong``."""
    no_json: bool
    """True if a model was asked for a commitment, not for a vote, and wrote no valid JSON."""
    leaked: bool
    """True if a strategy stated an answer."""
    reward: float | None
    """Team reward, summed over the decisions."""
    arm: str = ""
    """Part of a test that it was played in, as in ``one round`` or ``refined``."""
