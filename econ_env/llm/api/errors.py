"""Faults of a model server, and the reaction to each.

A :class:`Fault` is the result of an attempt without an answer. Its kind decides: some are retried,
some fail the one request, and some mean that the model cannot be used at all, which is raised as
one of the :class:`ApiError` classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from econ_env.llm.api.waiting import asked_wait_s
from econ_env.llm.types import ModelError, Usage
from econ_env.text import printable

MAX_WORDS = 500
"""Longest quotation from a server's message, in characters."""


class ApiError(ModelError):
    """A model on a server cannot be used; the message says why and what to do."""


class UnsupportedSetting(ApiError):
    """The server has no way to do what the settings ask for."""


class KeyProblem(ApiError):
    """There is no key, or the server does not accept it (401, 403)."""


class AccountExhausted(ApiError):
    """The account has no credit left (402, or a quota that does not come back)."""

    exit_code = 1


class UnknownModel(ApiError):
    """The server does not have this model."""


class WrongAddress(ApiError):
    """The URL has no chat endpoint, or cannot be reached."""


class ServerBroken(ApiError):
    """The server answers every request with an internal error (500)."""

    exit_code = 1


class AlwaysRefuses(ApiError):
    """The server has refused every request in the same words (400, 422)."""

    exit_code = 1


class Kind(Enum):
    """Kind of a fault, which decides the reaction."""

    THROTTLED = "throttled"
    """Retried, and fewer requests are sent at a time."""
    UNAVAILABLE = "unavailable"
    """Retried."""
    UNREACHABLE = "unreachable"
    """No connection: retried, but only for a short time if there never was one."""
    UNUSABLE = "unusable"
    """An answer without usable content: retried a few times only, since each may cost tokens."""
    REFUSED = "refused"
    """The server rejects this request: it fails, the others continue."""
    TOO_LONG = "context overflow"
    """Prompt and completion do not fit the context: the request fails, the others continue."""
    KEY = "key"
    ACCOUNT = "account"
    MODEL = "model"
    ADDRESS = "address"
    CERTIFICATE = "certificate"


RETRIED = frozenset({Kind.THROTTLED, Kind.UNAVAILABLE, Kind.UNREACHABLE, Kind.UNUSABLE})
FAILED = frozenset({Kind.REFUSED, Kind.TOO_LONG})


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """An attempt without an answer."""

    kind: Kind
    words: str
    """Description of the fault, in the server's own words if there are any; without keys."""
    wait_s: float | None = None
    """Seconds that the server asks to wait before the next attempt."""
    status: int | None = None
    """HTTP status of the answer; None: 200, or no answer."""
    usage: Usage | None = None
    """Cost of the attempt, as far as the server reports it."""
    timed_out: bool = False
    """True if no answer came within the time limit."""

    @property
    def reason(self) -> str:
        """Reason for another attempt in a word or two, such as ``time-out`` or ``error 503``."""
        if self.timed_out:
            return "time-out"
        if self.kind is Kind.UNREACHABLE:
            return "no connection"
        if self.kind is Kind.UNAVAILABLE:
            return "broken connection" if self.status is None else f"error {self.status}"
        return str(self.kind.value)


_OVERFLOW = re.compile(
    r"context[ _](?:length|window|size|limit)|maximum (?:\w+ )?context|contextwindow"
    r"|max_new_tokens`? must be|(?:prompt|input|inputs) (?:is|are) too long|prompt_too_long"
    r"|input length exceeds|too many (?:prompt |input )?tokens",
    re.I,
)
_UNKNOWN_MODEL = re.compile(
    # Only a model's name may stand before the phrase: a 400 may speak of other things that a
    # model has and that are not found.
    r"model:? [`'\"]?[^\s`'\"]+[`'\"]? (?:does not exist|(?:was |is )?not found|is not available)"
    r"|(?:unknown|no such) model\b|invalid model(?: name| id|\s*[:`'\".!]|$)"
    r"|model_not_(?:found|available)|unable to access model|pinned to",
    re.I,
)
_MODERATED = re.compile(r"moderation|flagged|content[ _](?:policy|filter)|safety", re.I)
"""A request that was refused for what it says, and not for its key."""
_OUT_OF_CREDIT = re.compile(r"insufficient_quota|credit_limit|insufficient_balance", re.I)


def fault_of_status(status: int, headers: Mapping[str, str], text: str, now_s: float) -> Fault:
    """Return the fault for an HTTP status other than 200.

    Args:
        status: the status.
        headers: of the answer; looked up in lower case, or without regard to case.
        text: the body, without keys.
        now_s: the time, in seconds since 1970, for waits that are given as a date.
    """
    message, kind = _said(text)
    words = f"{status}: {message}" if message else f"{status}"
    return Fault(
        kind=_kind_of(status, f"{kind} {message}"),
        words=words,
        wait_s=asked_wait_s(headers, now_s),
        status=status,
    )


def error_in(body: Any, scrub: Callable[[str], str] = str) -> str | None:
    """Return the server's message if a parsed body is an error object; else None.

    Args:
        body: the parsed body.
        scrub: takes the keys out of the message before it is cut, which would cut through a key.
    """
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if error or body.get("object") == "error":
        return _words_of(body, scrub)[0] or "an error without a message"
    return None


def _kind_of(status: int, said: str) -> Kind:
    if status in (400, 413, 422, 500) and _OVERFLOW.search(said):
        return Kind.TOO_LONG
    if status == 403 and _MODERATED.search(said):
        return Kind.REFUSED
    if status in (401, 403):
        return Kind.KEY
    if status == 402 or (status == 429 and _OUT_OF_CREDIT.search(said)):
        return Kind.ACCOUNT
    if status in (400, 404) and _UNKNOWN_MODEL.search(said):
        return Kind.MODEL
    if status in (429, 503, 529):
        return Kind.THROTTLED
    if status in (408, 409, 425) or status >= 500:
        return Kind.UNAVAILABLE
    if status in (404, 405) or 300 <= status < 400:
        return Kind.ADDRESS
    return Kind.REFUSED if status >= 400 else Kind.UNUSABLE


def _said(text: str) -> tuple[str, str]:
    """Return message and type of an error body; the first words of a body that is not JSON."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return shortened(re.sub(r"<[^<>]*>", " ", text)), ""
    return _words_of(body)


def _words_of(body: Any, scrub: Callable[[str], str] = str) -> tuple[str, str]:
    """Return the message, and type and code, from any of the forms that servers give errors."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return shortened(scrub(error if isinstance(error, str) else json.dumps(error))), ""
    message = error.get("message") or error.get("detail") or error
    kinds = [str(error[key]) for key in ("type", "code") if error.get(key) is not None]
    words = message if isinstance(message, str) else json.dumps(message)
    return shortened(scrub(words)), " ".join(kinds)


def shortened(text: str) -> str:
    """Return ``text`` on one line, cut to :data:`MAX_WORDS` characters, safe to print and store."""
    line = printable(" ".join(text[: 100 * MAX_WORDS].split()))
    return line if len(line) <= MAX_WORDS else line[: MAX_WORDS - 3] + "..."
