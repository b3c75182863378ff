"""Settings of a client of a model server."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from econ_env.llm.api.secret import Secret, Secrets

SecondAction: TypeAlias = Literal["repetition_penalty", "frequency_penalty", "none"]
"""Parameter that the second coordinate of a sampling action becomes on its way to the server."""

ReplicaRouting: TypeAlias = Literal["least_busy", "prefix"]
"""Rule that chooses the replica of a model for each request."""

TokenField: TypeAlias = Literal["max_tokens", "max_completion_tokens"]
"""Field of a request that limits the length of its completion."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN_FIELDS = frozenset(
    {
        *("model", "messages", "n", "stream", "temperature", "seed"),
        *("max_tokens", "max_completion_tokens"),
    }
)
"""Fields that ``extra_body`` cannot set."""
_OWN_HEADERS = frozenset(
    {
        *("authorization", "host", "content-length", "content-type", "content-encoding"),
        *("transfer-encoding", "connection", "accept-encoding"),
    }
)
"""Headers that ``extra_headers`` cannot set."""
_KEY_LIKE = re.compile(r"(?i)(.*[-_])?(key|token|secret|password|sig|signature|code)|apikey")
_KEY_HEADER = re.compile(
    rf"{_KEY_LIKE.pattern}|.*(key|token|secret|passwd|password|auth|authentication|authorization"
    r"|bearer|cookie|credential|jwt|session)s?"
)
"""Names of headers that hold a key: no answer of a model may hold their values either."""
_KEY_FIELD = re.compile(
    r"(?i)(.*[-_])?(api_?key|secret|passwd|password|(access|auth|bearer)_?token|authorization)"
)
"""Names of fields of a body that hold a key."""
_LENGTH_OF_A_KEY = 16
"""Length from which a word of any header may be a key: few words of a language are as long."""
_PARTS = re.compile(r"[^\s;,=:\"']+")
"""Parts of a header's value that a server may quote on their own."""
_NONE: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _NONE


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiSettings:
    """Settings of :class:`~econ_env.llm.api.ApiModel`; ``ValueError`` if one is out of range."""

    second_action: SecondAction = "repetition_penalty"
    """``"repetition_penalty"``: sent in the server's own field; a server without one is refused.
    ``"frequency_penalty"``: converted by :func:`econ_env.llm.api.body.frequency_penalty`.
    ``"none"``: not used; the penalty stays neutral for every action."""
    max_concurrency: int = 64
    """Most requests in flight at a time, >= 1."""
    replica_routing: ReplicaRouting = "least_busy"
    """Replica that a request goes to. ``"least_busy"``: the one with the fewest requests in flight.
    ``"prefix"``: always the same one for equal prompts, unless it is left out or far busier than
    another."""
    request_budget_s: float = 600.0
    """Total time of one request, with its retries and the pauses between them, in seconds. Time
    spent waiting for its turn in this client does not count."""
    connect_timeout_s: float = 30.0
    """Longest wait for a connection, in seconds; also the time for which a server that has never
    answered may stay unreachable before the model is given up."""
    read_timeout_s: float = 300.0
    """Longest wait for one whole answer, in seconds."""
    backoff_base_s: float = 0.5
    """Longest wait before the first retry, in seconds; it doubles with each further one."""
    backoff_max_s: float = 8.0
    """Longest wait before any retry, in seconds, unless the server asks for more."""
    max_unusable_replies: int = 5
    """Answers without usable content (null, truncated, HTML) that are paid for and retried before
    a request fails, >= 1."""
    json_mode: bool = False
    """Ask for a JSON object in the coordinator's commitments, as the prompts do too."""
    context_limit: int | None = None
    """Most tokens of prompt and completion together that the server accepts; None: not known, and
    prompts are never shortened."""
    extra_body: Mapping[str, Any] = field(default_factory=_nothing, hash=False)
    """Fields added to every request, as JSON data; they replace those of the profile."""
    extra_headers: Mapping[str, str] = field(default_factory=_nothing, hash=False, repr=False)
    """Headers added to every request. Their values count as secrets, like the key; but short words
    of a header whose name names no key, token or password stay in the answers of models."""
    query_parameters: Mapping[str, str] = field(default_factory=_nothing, hash=False)
    """Parameters added to the URL of every request, such as ``api-version``."""
    omit_fields: tuple[str, ...] = ()
    """Fields that are left out of every request, because the server refuses them."""
    token_field: TokenField | None = None
    """Field of the token limit; None: that of the profile."""
    min_temperature: float = 0.0
    """Lowest temperature that is sent, >= 0; a lower one is raised to it."""
    offline: bool = False
    """Never send anything: for replays. No key is needed, and :meth:`ApiModel.generate` raises."""

    def __post_init__(self) -> None:
        for name in ("extra_body", "extra_headers", "query_parameters"):
            # A copy: the mapping that was given may change later.
            object.__setattr__(self, name, MappingProxyType(_plain_copy(name, getattr(self, name))))
        if isinstance(self.omit_fields, str):
            raise ValueError(f"omit_fields must be a list of names, got {self.omit_fields!r}")
        object.__setattr__(self, "omit_fields", tuple(sorted(set(self.omit_fields))))
        _check_body(self.extra_body, self.omit_fields)
        _check_headers(self.extra_headers)
        _check_query(self.query_parameters)
        if self.token_field not in (None, *get_args(TokenField)):
            raise ValueError(
                f"token_field must be one of {', '.join(map(repr, get_args(TokenField)))} or None, "
                f"got {self.token_field!r}"
            )
        if not 0 <= self.min_temperature < math.inf:
            raise ValueError(
                f"min_temperature must be a finite number >= 0, got {self.min_temperature!r}"
            )
        if self.second_action not in get_args(SecondAction):
            raise ValueError(
                f"second_action must be one of {', '.join(map(repr, get_args(SecondAction)))}, "
                f"got {self.second_action!r}"
            )
        if self.replica_routing not in get_args(ReplicaRouting):
            raise ValueError(
                "replica_routing must be one of "
                f"{', '.join(map(repr, get_args(ReplicaRouting)))}, got {self.replica_routing!r}"
            )
        for name in ("max_concurrency", "max_unusable_replies", "context_limit"):
            count = getattr(self, name)
            if name == "context_limit" and count is None:
                continue
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise ValueError(f"{name} must be a whole number >= 1, got {count!r}")
        for name in (
            "request_budget_s",
            "connect_timeout_s",
            "read_timeout_s",
            "backoff_base_s",
            "backoff_max_s",
        ):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds > 0):
                raise ValueError(f"{name} must be a finite number of seconds > 0, got {seconds!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: getattr(self, name) for name in self.__slots__}
        plain = {k: dict(v) if isinstance(v, Mapping) else v for k, v in values.items()}
        return _rebuilt, (plain,)

    @property
    def answers(self) -> dict[str, Any]:
        """Settings that change the content of requests; the others change only their timing.

        Those that are optional appear only if they are set, so that recordings made without them
        keep their keys. Headers are secret and not among them.
        """
        given: dict[str, Any] = {
            "extra_body": dict(self.extra_body),
            "query_parameters": dict(self.query_parameters),
            "omit_fields": list(self.omit_fields),
            "token_field": self.token_field,
            "min_temperature": self.min_temperature,
        }
        return {
            "second_action": self.second_action,
            "json_mode": self.json_mode,
            **{name: value for name, value in given.items() if value},
        }


def key_headers(settings: ApiSettings) -> list[str]:
    """Return the names of the extra headers that say that they hold a key."""
    return sorted(filter(_KEY_HEADER.fullmatch, settings.extra_headers))


def all_secrets(key: Secret | None, settings: ApiSettings) -> Secrets:
    """Return what is removed from the texts of a server: its key, and the words of the headers.

    Answers lose the words of those headers whose names say that they hold a key, and words as long
    as a key. Other words, of a title for example, are left in them: an answer may use the same.
    """
    secrets: list[Secret] = [] if key is None else [key]
    words: list[Secret] = []
    named = key_headers(settings)
    for name, value in settings.extra_headers.items():
        # A cookie's value stands behind its name: "sid=VALUE; theme=dark".
        for word in dict.fromkeys([*value.split(), *_PARTS.findall(value)]):
            like_a_key = name in named or len(word) >= _LENGTH_OF_A_KEY
            (secrets if like_a_key else words).append(Secret(word))
    return Secrets(secrets, words)


def _rebuilt(values: dict[str, Any]) -> ApiSettings:
    return ApiSettings(**values)


def _plain_copy(name: str, given: object) -> dict[str, Any]:
    """Return a deep copy of a mapping of JSON data; ``ValueError`` without its values."""
    problem = f"{name} must be names with values that JSON can express"
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise ValueError(problem)
    try:
        copied: dict[str, Any] = json.loads(json.dumps(dict(given), allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise ValueError(problem) from None
    return copied


def _check_body(extra: Mapping[str, Any], omitted: tuple[str, ...]) -> None:
    if keys := sorted(filter(_KEY_FIELD.fullmatch, extra)):
        raise ValueError(
            f"extra_body cannot set {', '.join(keys)}: bodies are kept with settings and records. "
            "Put a key into the environment variable of the server's profile"
        )
    if own := sorted(_OWN_FIELDS & extra.keys()):
        raise ValueError(f"extra_body cannot set {', '.join(own)}: the game decides about it")
    if essential := sorted({"model", "messages"} & set(omitted)):
        raise ValueError(f"omit_fields cannot leave out {', '.join(essential)}")
    if both := sorted(extra.keys() & set(omitted)):
        raise ValueError(f"{', '.join(both)}: in extra_body and in omit_fields")


def _check_headers(extra: Mapping[str, str]) -> None:
    """Raise ``ValueError`` if a header cannot be sent; the message never shows a value."""
    for name, value in extra.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"extra_headers: {name[:60]!r} cannot be the name of a header")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(
                f"extra_headers cannot set {name}: the key goes into the environment variable of "
                "the server's profile, the rest is the client's own"
            )
        if not (_is_text(value) and value.isascii() and value.isprintable()):
            raise ValueError(f"extra_headers: the value of {name} must be printable ASCII text")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _check_query(parameters: Mapping[str, str]) -> None:
    """Raise ``ValueError`` if a parameter may be a key, or is no text; never with its value."""
    for name, value in parameters.items():
        if _KEY_LIKE.fullmatch(name):
            raise ValueError(
                f"query_parameters cannot set {name}: a key in a URL ends up in logs. Put it into "
                "the environment variable of the server's profile"
            )
        if not _is_text(value):
            raise ValueError(f"query_parameters: the value of {name} must be a text")
