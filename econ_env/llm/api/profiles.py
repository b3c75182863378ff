"""Profiles of model servers: the fields that each kind of server understands, as far as known.

"OpenAI-compatible" says little: servers ignore fields that they do not know, most of them
silently. A profile says which fields are sent to a server. ``econ-env doctor`` measures which take
effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

PenaltyField: TypeAlias = Literal["repetition_penalty", "repeat_penalty", "generation_config"]
"""Field of the repetition penalty. ``"generation_config"``: a JSON string of that name holds it
together with all other sampling parameters, as ``transformers serve`` expects."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerProfile:
    """One kind of server."""

    name: str
    """Prefix of model names."""
    key_variable: str
    """Environment variable that holds the key."""
    url: str | None = None
    """Base URL for model names without one; None: the name must give one."""
    needs_key: bool = False
    """True if the server at ``url`` requires a key."""
    penalty: PenaltyField | None = None
    """None: the server has no repetition penalty."""
    frequency_penalty: bool = True
    """True if ``frequency_penalty`` has its OpenAI meaning."""
    token_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105
    max_choices: int = 1
    """Largest ``n``; 1: the field is not sent."""
    seed: bool = True
    json_mode: bool = True
    """True if ``response_format={"type": "json_object"}`` is understood."""
    json_schema: bool = False
    """True if ``response_format={"type": "json_schema"}`` is enforced with every model."""
    extra: Mapping[str, float | tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Fields sent with every request, because the server's defaults would change the sampling."""
    initial_concurrency: int | None = None
    """Requests in flight at the beginning; None: ``max_concurrency`` at once."""

    @property
    def wire(self) -> dict[str, Any]:
        """Settings that change the form of a request, as plain data for the keys of a cache."""
        return {"penalty": self.penalty, "token_field": self.token_field, "extra": {**self.extra}}


# A model's own defaults for top-k and min-p would mute the temperature.
_NO_TOP_K = MappingProxyType({"top_k": -1, "min_p": 0.0})

_ALL = (
    ServerProfile(
        name="together",
        url="https://api.together.xyz/v1",
        key_variable="TOGETHER_API_KEY",
        needs_key=True,
        penalty="repetition_penalty",
        max_choices=128,
        # Its limits rise with steady traffic and throttle bursts.
        initial_concurrency=16,
    ),
    ServerProfile(
        name="openai",
        url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        needs_key=True,
        token_field="max_completion_tokens",  # noqa: S106
        max_choices=128,
    ),
    ServerProfile(
        name="vllm",
        key_variable="VLLM_API_KEY",
        json_schema=True,
        penalty="repetition_penalty",
        max_choices=128,
        extra=_NO_TOP_K,
    ),
    ServerProfile(
        name="sglang",
        key_variable="SGLANG_API_KEY",
        json_schema=True,
        penalty="repetition_penalty",
        max_choices=128,
        extra=_NO_TOP_K,
    ),
    ServerProfile(
        name="llamacpp",
        key_variable="LLAMA_API_KEY",
        json_schema=True,
        penalty="repeat_penalty",
        # It answers n times, but counts the tokens of the first answer alone.
        max_choices=1,
        extra=MappingProxyType(
            {
                "top_k": 0,
                "min_p": 0.0,
                # The penalty covers the whole text and not only the last 64 tokens. The server
                # refuses -1, and reserves memory for this many tokens.
                "repeat_last_n": 32_768,
                # Its own order cuts by top-p before the temperature; other servers do so after it.
                "samplers": ("penalties", "temperature", "top_p"),
            }
        ),
    ),
    ServerProfile(
        name="llamacpp_python",
        key_variable="LLAMA_API_KEY",
        penalty="repeat_penalty",
        extra=MappingProxyType({"top_k": 0, "min_p": 0.0}),
    ),
    ServerProfile(
        name="ollama",
        url="http://localhost:11434/v1",
        key_variable="OLLAMA_API_KEY",
    ),
    ServerProfile(
        name="transformers",
        key_variable="TRANSFORMERS_API_KEY",
        penalty="generation_config",
        # It turns frequency_penalty into a repetition penalty of its own.
        frequency_penalty=False,
        json_mode=False,
    ),
    ServerProfile(
        name="litellm",
        key_variable="LITELLM_API_KEY",
        penalty="repetition_penalty",
        max_choices=128,
    ),
)

PROFILES: Mapping[str, ServerProfile] = MappingProxyType(
    {profile.name: profile for profile in _ALL}
)
"""Profiles by name."""
