"""Messages for models without a system role, such as Gemma and the first Mistral."""

from __future__ import annotations

import re
from collections.abc import Sequence

from econ_env.llm.types import Message

_REFUSED = re.compile(
    r"system(?:[ _]|\W{1,3})(?:role|message|prompt|instruction)"
    r"|roles?\W{1,4}(?:\w+ )?\W{0,3}system|developer instruction is not enabled"
    r"|only user(?:,| and) (?:model|assistant)|(?:conversation )?roles must alternate"
    r"|must (?:start|begin) with a user",
    re.I,
)


def fold_system(messages: Sequence[Message]) -> list[Message]:
    """Rewrite ``messages`` for a model without system messages.

    The system text is put in front of the first user message; without one it becomes one.
    """
    system = [message.content for message in messages if message.role == "system"]
    rest = [message for message in messages if message.role != "system"]
    if not system:
        return rest
    first = next((i for i, message in enumerate(rest) if message.role == "user"), None)
    if first is None:
        return [Message(role="user", content="\n\n".join(system)), *rest]
    content = "\n\n".join([*system, rest[first].content])
    return [*rest[:first], Message(role="user", content=content), *rest[first + 1 :]]


def has_system(messages: Sequence[Message]) -> bool:
    """Return True if there is a system message."""
    return any(message.role == "system" for message in messages)


def refuses_system(words: str) -> bool:
    """Return True if the words of a server refuse system messages."""
    return _REFUSED.search(words) is not None
