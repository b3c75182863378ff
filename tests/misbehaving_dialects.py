"""Dialects of the misbehaving server: parameter names, defaults and error bodies.

Facts from the servers' documentation and from runs of them; see docs/endpoints.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

ErrorBody = Callable[[int, str, str], Any]
"""Function that makes the body of an error from its status, message and type."""


def _openai(status: int, message: str, kind: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _together(status: int, message: str, kind: str) -> Any:
    return {**_openai(status, message, kind), "error_type": kind}


def _vllm(status: int, message: str, kind: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}


def _sglang(status: int, message: str, kind: str) -> Any:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": status}


def _llamacpp(status: int, message: str, kind: str) -> Any:
    return {"error": {"code": status, "message": message, "type": kind}}


def _ollama(status: int, message: str, kind: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _transformers(status: int, message: str, kind: str) -> Any:
    return {"detail": message}


def _litellm(status: int, message: str, kind: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": str(status)}}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """Dialect of one kind of server."""

    name: str
    error: ErrorBody
    overflow: str
    """Message for a prompt and completion that do not fit into the context."""
    penalty: str | None = None
    """Field of the repetition penalty; ``"generation_config"``: inside that JSON string."""
    default_penalty: float = 1.0
    tokens: tuple[str, ...] = ("max_tokens",)
    """Fields that limit the length of the completion."""
    n: bool = True
    seed: bool = True
    refused: frozenset[str] = frozenset()
    """Fields that are refused with status 422."""
    checks_model: bool = True
    """True if an unknown model is an error."""
    unknown_model_status: int = 404


_ALL = (
    Dialect(
        name="openai",
        error=_openai,
        overflow="This model's maximum context length is 128 tokens. However, your messages "
        "resulted in 500 tokens. Please reduce the length of the messages.",
        tokens=("max_completion_tokens", "max_tokens"),
        refused=frozenset({"repetition_penalty", "repeat_penalty", "top_k", "min_p"}),
    ),
    Dialect(
        name="together",
        error=_together,
        overflow="Input validation error: `inputs` tokens + `max_new_tokens` must be <= 128.",
        penalty="repetition_penalty",
    ),
    Dialect(
        name="vllm",
        error=_vllm,
        overflow="This model's maximum context length is 128 tokens. However, you requested 500.",
        penalty="repetition_penalty",
        tokens=("max_completion_tokens", "max_tokens"),
    ),
    Dialect(
        name="sglang",
        error=_sglang,
        overflow="Requested token count exceeds the model's maximum context length of 128 tokens.",
        penalty="repetition_penalty",
        tokens=("max_completion_tokens", "max_tokens"),
    ),
    Dialect(
        name="llamacpp",
        error=_llamacpp,
        overflow="the request exceeds the available context size, try increasing it",
        penalty="repeat_penalty",
        tokens=("max_completion_tokens", "max_tokens"),
        checks_model=False,
    ),
    Dialect(
        name="llamacpp_python",
        error=_openai,
        overflow="This model's maximum context length is 128 tokens, however you requested 500.",
        penalty="repeat_penalty",
        default_penalty=1.1,
        n=False,
        checks_model=False,
    ),
    Dialect(
        name="ollama",
        error=_ollama,
        overflow="input length exceeds the context length",
        n=False,
    ),
    Dialect(
        name="transformers",
        error=_transformers,
        overflow="the prompt is too long for the context",
        penalty="generation_config",
        n=False,
        seed=False,
        refused=frozenset({"repetition_penalty", "repeat_penalty", "top_k", "min_p", "n"}),
        unknown_model_status=400,
    ),
    Dialect(
        name="litellm",
        error=_litellm,
        overflow="litellm.ContextWindowExceededError: maximum context length is 128 tokens",
        penalty="repetition_penalty",
        unknown_model_status=400,
    ),
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _ALL})
