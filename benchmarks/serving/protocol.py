"""The part of the OpenAI chat protocol that a small sampling model can serve.

Parameters are obeyed or refused. One that would be ignored is an error, so that no measurement is
of a server that samples in another way than it was asked to.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from econ_env.llm.types import ChatRequest, Completion, Message

MAX_CHOICES = 128
"""Largest ``n``, as in vLLM."""
DEFAULT_MAX_TOKENS = 128
SEEDS = 2**31
"""Exclusive upper bound of seeds; choice i of a request has its seed plus i, modulo this."""

_ROLES = ("system", "user", "assistant")
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "top_k": (-1, 0, None),
    "min_p": (0, None),
    "frequency_penalty": (0, None),
    "presence_penalty": (0, None),
    "stream": (False, None),
    "response_format": ({"type": "text"}, None),
}
"""Parameters that are accepted only with these values, which change nothing."""
_KNOWN = {
    *("model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p"),
    *("repetition_penalty", "seed", "n", "user"),
    *_NEUTRAL,
}


class Refused(Exception):
    """A request is refused; the message says why.

    Args:
        status: HTTP status code.
        message: explanation for the user.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A parsed request of the protocol."""

    model: str
    choices: tuple[ChatRequest, ...]
    """One request per choice; they differ in their seeds."""


def read_request(raw: bytes, models: Collection[str]) -> Asked:
    """Parse the body of a request.

    Args:
        raw: the body, JSON.
        models: names of the models that exist.

    Raises:
        Refused: it is malformed, names another model, or has a parameter that is not supported.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "the body must be a JSON object")
    unknown = sorted(body.keys() - _KNOWN)
    if unknown:
        raise Refused(400, f"this server knows no parameter {unknown[0][:40]!r}")
    for name, neutral in _NEUTRAL.items():
        if name in body and body[name] not in neutral:
            raise Refused(400, f"{name} is not supported here: leave it out")
    model = body.get("model")
    if not isinstance(model, str) or model not in models:
        raise Refused(404, f"there is no such model; there are {', '.join(sorted(models))}")
    seed = _whole(body, "seed", 0, least=0, most=SEEDS - 1)
    tokens = _whole(body, "max_tokens", DEFAULT_MAX_TOKENS, least=1, most=SEEDS)
    request = ChatRequest(
        messages=_messages(body.get("messages")),
        temperature=_number(body, "temperature"),
        repetition_penalty=_number(body, "repetition_penalty"),
        top_p=_number(body, "top_p"),
        max_tokens=_whole(body, "max_completion_tokens", tokens, least=1, most=SEEDS),
        seed=seed,
        model=model,
        role="execute",
    )
    return Asked(
        model=model,
        choices=tuple(
            replace(request, seed=(seed + index) % SEEDS)
            for index in range(_whole(body, "n", 1, least=1, most=MAX_CHOICES))
        ),
    )


def reply(asked: Asked, completions: Sequence[Completion]) -> dict[str, Any]:
    """Return the answer to a request, as plain data.

    A prompt is read once for all its choices, so its tokens count once. The answer does not depend
    on a clock or on other requests.

    Raises:
        Refused: the model failed on a choice, mostly because its context is too short.
    """
    for completion in completions:
        if completion.error is not None:
            raise Refused(400, completion.error)
    prompt = completions[0].usage.prompt_tokens
    written = sum(completion.usage.completion_tokens for completion in completions)
    return {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": asked.model,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": completion.text},
                "finish_reason": completion.finish_reason,
            }
            for index, completion in enumerate(completions)
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
        },
    }


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise Refused(400, "messages must be a list of at least one message")
    messages = []
    for each in value:
        role = each.get("role") if isinstance(each, dict) else None
        content = each.get("content") if isinstance(each, dict) else None
        if role not in _ROLES or not isinstance(content, str):
            raise Refused(400, "a message needs a role (system, user, assistant) and a text")
        messages.append(Message(role=role, content=content))
    return tuple(messages)


def _number(body: dict[str, Any], name: str) -> float:
    """Return a number, by default 1; the model checks its range."""
    value = body.get(name, 1.0)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    raise Refused(400, f"{name} must be a number")


def _whole(body: dict[str, Any], name: str, default: int, *, least: int, most: int) -> int:
    value = body.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise Refused(400, f"{name} must be a whole number from {least} to {most}")
