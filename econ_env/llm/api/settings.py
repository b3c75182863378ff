"""Settings of a client of a model server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

SecondAction: TypeAlias = Literal["repetition_penalty", "frequency_penalty", "none"]
"""Parameter that the second coordinate of a sampling action becomes on its way to the server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiSettings:
    """Settings of :class:`~econ_env.llm.api.ApiModel`; ``ValueError`` if one is out of range."""

    second_action: SecondAction = "repetition_penalty"
    """``"repetition_penalty"``: sent in the server's own field; a server without one is refused.
    ``"frequency_penalty"``: converted by :func:`econ_env.llm.api.body.frequency_penalty`.
    ``"none"``: not used; the penalty stays neutral for every action."""
    max_concurrency: int = 64
    """Most requests in flight at a time, >= 1."""
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
    offline: bool = False
    """Never send anything: for replays. No key is needed, and :meth:`ApiModel.generate` raises."""

    def __post_init__(self) -> None:
        if self.second_action not in get_args(SecondAction):
            raise ValueError(
                f"second_action must be one of {', '.join(map(repr, get_args(SecondAction)))}, "
                f"got {self.second_action!r}"
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

    @property
    def answers(self) -> dict[str, str | bool]:
        """Settings that change the content of requests; the others change only their timing."""
        return {"second_action": self.second_action, "json_mode": self.json_mode}
