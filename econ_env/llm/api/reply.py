"""Reading the body of a successful answer, in all the forms that servers give it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from econ_env.llm.api.errors import Fault, Kind, error_in, shortened
from econ_env.llm.api.secret import Secret
from econ_env.llm.types import FinishReason, Usage

BYTES_PER_TOKEN = 3
"""Bytes of UTF-8 per token, to estimate tokens that a server does not count: less than in English
prose (about four), about right for calculations."""

_LENGTH = frozenset({"length", "max_tokens", "model_length"})
_BROKEN_OFF = frozenset({"abort", "error"})
"""Finish reasons of answers that the server broke off: their text is not an answer."""
_WITHHELD = frozenset({"content_filter"})
_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>\s*", re.S)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One answer."""

    text: str
    finish_reason: FinishReason


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The answers to one request and what they cost."""

    choices: tuple[Choice | Fault, ...]
    """One entry for each answer asked for, in order; a fault stands for an unusable answer."""
    sent: int
    """Number of answers received, usable or not."""
    usage: Usage | None
    """None: the server did not report it."""


def read_reply(data: bytes, *, choices: int, secret: Secret | None) -> Reply | Fault:
    """Read the body of an answer with status 200.

    Args:
        data: the body.
        choices: number of answers asked for.
        secret: the key, which is removed if the server repeats it.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return _unusable(f"the answer is not JSON: {_start(data, secret)}")
    error = error_in(body)
    if error is not None:
        return _unusable(f"the answer holds an error: {_scrubbed(error, secret)}")
    found = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(found, list) or not found:
        return _unusable(f"the answer has no choices: {_start(data, secret)}")
    by_index: dict[int, Choice | Fault] = {}
    for position, choice in enumerate(found):
        index = choice.get("index") if isinstance(choice, dict) else None
        by_index.setdefault(index if _is_count(index) else position, _read(choice, secret))
    missing = _unusable(f"the server sent {len(found)} of {choices} answers")
    return Reply(
        choices=tuple([by_index.get(index, missing) for index in range(choices)]),
        sent=len(found),
        usage=_usage(body.get("usage")),
    )


def estimated_tokens(texts: Sequence[str]) -> int:
    """Estimate the tokens of ``texts`` that the server did not count; :data:`BYTES_PER_TOKEN`."""
    return sum([-(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN) for text in texts])


def _read(choice: Any, secret: Secret | None) -> Choice | Fault:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return _unusable("a choice has no message")
    said = choice.get("finish_reason")
    reason = said if isinstance(said, str) else None
    if reason in _BROKEN_OFF:
        return _unusable(f"the server gave up in the middle (finish_reason {reason!r})")
    if reason in _WITHHELD:
        return Fault(kind=Kind.REFUSED, words=f"the answer was withheld (finish_reason {reason!r})")
    text = _text(message)
    if text is None:
        return _unusable(f"the answer has no content (finish_reason {shortened(repr(reason))})")
    # JSON can contain lone surrogates, a file or a prompt cannot.
    text = _scrubbed(text, secret).encode("utf-8", "replace").decode("utf-8")
    return Choice(text=text, finish_reason="length" if reason in _LENGTH else "stop")


def _text(message: Mapping[str, Any]) -> str | None:
    """Return the text of a message; None if it has none.

    Thoughts are removed if an answer follows them. Otherwise they are all that the model wrote,
    and are returned as the text.
    """
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join([part for part in parts if isinstance(part, str)])
    if isinstance(content, str) and content.strip():
        said = _THOUGHTS.sub("", content, count=1)
        return said if said.strip() else content
    for name in ("reasoning_content", "reasoning"):
        thoughts = message.get(name)
        if isinstance(thoughts, str) and thoughts.strip():
            return thoughts
    return content if isinstance(content, str) else None


def _usage(said: Any) -> Usage | None:
    """Return the token counts of the server; None if they are missing or not numbers."""
    if not isinstance(said, dict):
        return None
    prompt, written = said.get("prompt_tokens"), said.get("completion_tokens")
    if not _is_count(prompt) or not _is_count(written):
        return None
    details = said.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=written,
        cached_tokens=min(cached, prompt) if _is_count(cached) else 0,
    )


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _unusable(words: str) -> Fault:
    return Fault(kind=Kind.UNUSABLE, words=words)


def _scrubbed(text: str, secret: Secret | None) -> str:
    return text if secret is None else secret.scrub(text)


def _start(data: bytes, secret: Secret | None) -> str:
    """Return the beginning of a body, for an error."""
    text = shortened(_scrubbed(data.decode("utf-8", "replace"), secret))
    return repr(text[:200]) if text else "it is empty"
