"""Requests to language models and their completions: plain data of the game.

A :class:`ChatRequest` describes one call completely, a :class:`Completion` its outcome. Both are
frozen plain data: the same request always means the same call, so that a run can be recorded,
replayed and compared byte by byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from econ_env.errors import EconError
from econ_env.text import printable

Role = Literal["strategy", "local_strategy", "execute", "local_commit", "commit"]
"""Purpose of a call. The two ``local_*`` roles exist only if executors form groups."""

FinishReason = Literal["stop", "length", "error"]

MAX_COUNT = 2**53
"""Largest count of tokens or requests: every whole number up to it is exact as a float too."""

TOKENS_PER_MESSAGE = 8
"""Assumed tokens that a chat template adds to a message, if not known: enough for markers of turns,
not for a template that writes sentences of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatRequest:
    """One call of a language model.

    ``temperature`` 0 means greedy decoding. ``repetition_penalty`` is multiplicative with the
    meaning it has in Hugging Face transformers: positive logits of tokens already present in prompt
    or output are divided by it, negative ones multiplied; 1 is neutral.
    """

    messages: tuple[Message, ...]
    temperature: float
    repetition_penalty: float = 1.0
    top_p: float = 1.0
    max_tokens: int
    seed: int
    """0 <= seed < 2**31: the range that every known server accepts."""
    model: str
    """Name of the :class:`ChatModel` that answers; the driver routes by it."""
    role: Role
    schema: str | None = None
    """JSON schema, as JSON text, that the completion must satisfy; None: free text. An engine with
    constrained decoding enforces it; any other one only has the words of the prompt."""

    def to_json(self) -> dict[str, Any]:
        """Return the request as JSON-serialisable data in a fixed key order; no empty schema."""
        data = asdict(self)
        if self.schema is None:
            del data["schema"]
        return data


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens and requests used. Two of them add up with ``+``.

    Raises:
        ValueError: a count is not in [0, :data:`MAX_COUNT`].
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Part of ``prompt_tokens`` that was not computed again (a shared prefix)."""
    requests: int = 0

    def __post_init__(self) -> None:
        for count in (
            self.prompt_tokens,
            self.completion_tokens,
            self.cached_tokens,
            self.requests,
        ):
            if not 0 <= count <= MAX_COUNT:
                raise ValueError(f"a usage has counts from 0 to 2**53, not {count!r}"[:120])

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            requests=self.requests + other.requests,
        )

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """The outcome of one :class:`ChatRequest`.

    ``error`` is None on success. A failed request has a message for people in ``error`` and
    ``finish_reason == "error"``; it is not raised, so that the other requests of the batch are
    not lost.
    """

    text: str
    usage: Usage = field(default_factory=Usage)
    finish_reason: FinishReason = "stop"
    error: str | None = None

    @classmethod
    def failure(cls, error: str, usage: Usage | None = None) -> Completion:
        """Return a completion for a failed request; ``error`` is cleaned of control characters."""
        return cls(text="", usage=usage or Usage(), finish_reason="error", error=printable(error))


class ModelError(EconError):
    """A model cannot be used at all: unknown name, missing weights, wrong key.

    Raised at once, unlike the failure of a single request.
    """


@runtime_checkable
class ChatModel(Protocol):
    """Anything that answers chat requests in order."""

    name: str
    """Its name in ``ChatRequest.model``."""

    @property
    def context_limit(self) -> int | None:
        """Most tokens of prompt and completion together that the model accepts; None: not known."""
        ...

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Answer every request, in the order given. A failure never loses the other answers."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of ``text`` (an upper estimate without a tokenizer)."""
        ...

    def close(self) -> None:
        """Release processes, sockets and memory. May be called twice."""
        ...


@runtime_checkable
class MeasuresTemplate(Protocol):
    """A ``ChatModel`` that knows how many tokens its chat template adds."""

    @property
    def tokens_per_message(self) -> int:
        """Most tokens that the template adds to one message."""
        ...


def tokens_per_message(model: object) -> int:
    """Return the tokens that the template of ``model`` adds to a message, or the usual number."""
    return model.tokens_per_message if isinstance(model, MeasuresTemplate) else TOKENS_PER_MESSAGE
