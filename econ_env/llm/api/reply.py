"""Reading the body of a successful answer, in all the forms that servers give it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from econ_env.grading.turns import after_thought, ends_foreign_thought, has_thought, outside_think
from econ_env.llm.api.errors import Fault, Kind, error_in, shortened
from econ_env.llm.api.secret import Scrubber
from econ_env.llm.types import FinishReason, Usage
from econ_env.text import encodable, longest_completion

BYTES_PER_TOKEN = 3
"""Bytes of UTF-8 per token, to estimate tokens that a server does not count: less than in English
prose (about four), about right for calculations."""
CHARACTERS_PER_TOKEN = 7
"""Characters per token, as a server counts them, above which it has not counted, or not read, the
whole: texts have less than five, in most languages three or fewer."""

_BYTES_PER_TOKEN_SENT = 256
_SPARE_BYTES = 2**20
_MAX_BODY_BYTES = 64 * 2**20
_MAX_CHOICES = 1_024
"""Most answers in one body that are looked at."""
_MAX_REPORTED = 2**31
"""Counts of tokens from here on are no counts."""

_LENGTH = frozenset({"length", "max_tokens", "model_length"})
_BROKEN_OFF = frozenset({"abort", "error"})
"""Finish reasons of answers that the server broke off: their text is not an answer."""
_WITHHELD = frozenset({"content_filter"})
OPEN_THOUGHT = "<think>"
"""Mark of a thought in front of one that has none."""

Thought = Literal["none", "whole", "foreign", "cut"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One answer."""

    text: str
    """The answer; a thought that the token limit cut off begins with ``<think>``, which stays
    open."""
    finish_reason: FinishReason
    thought: Thought = "none"
    """Thought in front of the answer: "whole", left out of the text; "foreign", the same, but begun
    by the model's chat template and not by the reply; "cut" by the token limit, so that the text
    is nothing but a thought. "none": no sign of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The answers to one request and what they cost."""

    choices: tuple[Choice | Fault, ...]
    """One entry for each answer asked for, in order; a fault stands for an unusable answer."""
    sent: int
    """Number of answers received, usable or not."""
    usage: Usage | None
    """None: the server did not report it."""


def largest_body(max_tokens: int, choices: int) -> int:
    """Return the size, in bytes, from which the body of an answer is not read any further."""
    return min(_SPARE_BYTES + _BYTES_PER_TOKEN_SENT * max_tokens * choices, _MAX_BODY_BYTES)


def read_reply(
    data: bytes, *, choices: int, max_tokens: int, secret: Scrubber | None
) -> Reply | Fault:
    """Read the body of an answer with status 200.

    Args:
        data: the body.
        choices: number of answers asked for.
        max_tokens: tokens asked for in each; much longer answers are cut.
        secret: the key, which is removed if the server repeats it; None: there is none.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return _unusable(f"the answer is not JSON: {_start(data, secret)}")
    usage = _usage(body.get("usage")) if isinstance(body, dict) else None
    error = error_in(body, str if secret is None else secret.scrub)
    if error is not None:
        return _unusable(f"the answer holds an error: {error}", usage)
    found = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(found, list) or not found:
        return _unusable(f"the answer has no choices: {_start(data, secret)}", usage)
    if len(found) > _MAX_CHOICES:
        return _unusable(f"the answer has {len(found)} choices instead of {choices}", usage)
    longest = longest_completion(max_tokens)
    by_index: dict[int, Choice | Fault] = {}
    for position, choice in enumerate(found):
        index = choice.get("index") if isinstance(choice, dict) else None
        read = _read(choice, longest, secret)
        by_index.setdefault(index if _is_count(index) else position, read)
    missing = _unusable(f"the server sent {len(found)} of {choices} answers")
    return Reply(
        choices=tuple([by_index.get(index, missing) for index in range(choices)]),
        sent=len(found),
        usage=usage,
    )


def estimated_tokens(texts: Sequence[str]) -> int:
    """Estimate the tokens of ``texts`` that the server did not count; :data:`BYTES_PER_TOKEN`."""
    return sum([-(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN) for text in texts])


def _read(choice: Any, longest: int, secret: Scrubber | None) -> Choice | Fault:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return _unusable("a choice has no message")
    said = choice.get("finish_reason")
    reason = said if isinstance(said, str) else None
    if reason in _BROKEN_OFF:
        return _unusable(f"the server gave up in the middle (finish_reason {reason!r})")
    if reason in _WITHHELD:
        return Fault(kind=Kind.REFUSED, words=f"the answer was withheld (finish_reason {reason!r})")
    cut = reason in _LENGTH
    found = _text(message, cut=cut)
    if found is None:
        refusal = message.get("refusal")
        if isinstance(refusal, str) and refusal.strip():
            words = f"the model declines to answer: {_scrubbed(refusal, secret)}"
            return Fault(kind=Kind.REFUSED, words=shortened(words))
        ending = None if reason is None else _scrubbed(reason, secret)
        return _unusable(f"the answer has no content (finish_reason {shortened(repr(ending))})")
    text, thought = found
    # JSON can contain lone surrogates, a file or a prompt cannot.
    text = encodable(text if secret is None else secret.scrub_answer(text))
    return Choice(
        text=text[:longest],
        finish_reason="length" if cut or len(text) > longest else "stop",
        thought=thought,
    )


def _text(message: Mapping[str, Any], *, cut: bool) -> tuple[str, Thought] | None:
    """Return the text of a message and the thought in it; None if it has no text.

    Thoughts are removed if an answer follows them. Otherwise they are all that the model wrote,
    and are returned as the text. A thought that the token limit cut off (``cut``) is no answer: it
    stays marked as a thought, and is "" if the server hides it.
    """
    thoughts = next(
        (
            said
            for said in (message.get("reasoning_content"), message.get("reasoning"))
            if isinstance(said, str) and said.strip()
        ),
        None,
    )
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join([part for part in parts if isinstance(part, str)])
    if isinstance(content, str) and content.strip():
        return after_thought(content), _thought_in(content, apart=thoughts is not None, cut=cut)
    if thoughts is not None:
        return (f"{OPEN_THOUGHT}{thoughts}", "cut") if cut else (thoughts, "whole")
    if content is None and cut:
        return "", "cut"
    return (content, "cut" if cut else "none") if isinstance(content, str) else None


def _thought_in(content: str, *, apart: bool, cut: bool) -> Thought:
    """Classify the thought in a text; ``apart``: the server reported one beside the text."""
    if cut and not outside_think(content).strip():
        return "cut"
    if ends_foreign_thought(content):
        return "foreign"
    return "whole" if apart or has_thought(content) else "none"


def _usage(said: Any) -> Usage | None:
    """Return the token counts of the server; None if they are missing or cannot be counts."""
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
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_REPORTED


def _unusable(words: str, usage: Usage | None = None) -> Fault:
    return Fault(kind=Kind.UNUSABLE, words=words, usage=usage)


def _scrubbed(text: str, secret: Scrubber | None) -> str:
    return text if secret is None else secret.scrub(text)


def _start(data: bytes, secret: Scrubber | None) -> str:
    """Return the beginning of a body, for an error."""
    text = data.decode("utf-8", "replace")
    text = shortened(text if secret is None else secret.scrub_body(text))
    return repr(text[:200]) if text else "it is empty"
