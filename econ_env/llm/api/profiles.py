"""What each kind of model server understands, as far as it is known.

"OpenAI-compatible" says little: servers ignore what they do not know, most of them silently. A
profile says what is sent to a server and in which field. ``econ-env doctor`` measures what takes
effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

PenaltyField: TypeAlias = Literal["repetition_penalty", "repeat_penalty", "generation_config"]
"""Where the repetition penalty goes. ``"generation_config"``: with all other sampling parameters
into a JSON string of that name, as ``transformers serve`` wants it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerProfile:
    """One kind of server."""

    name: str
    """The prefix of model names."""
    key_variable: str
    """Environment variable that holds the key."""
    url: str | None = None
    """Base URL where a model name gives none; None: it must give one."""
    needs_key: bool = False
    """Whether the server at ``url`` answers nobody without a key."""
    penalty: PenaltyField | None = None
    """None: there is no repetition penalty."""
    frequency_penalty: bool = True
    """Whether ``frequency_penalty`` has its OpenAI meaning."""
    token_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105
    max_choices: int = 1
    """Largest ``n``; 1: there is no ``n``."""
    seed: bool = True
    json_mode: bool = True
    """Whether ``response_format={"type": "json_object"}`` is understood."""
    json_schema: bool = False
    """Whether the engine keeps to ``response_format={"type": "json_schema"}`` with every model."""
    extra: Mapping[str, float | tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Sent with every request, since the server's own defaults would change the sampling."""
    initial_concurrency: int | None = None
    """Requests in flight at the beginning; None: ``max_concurrency`` at once."""

    @property
    def wire(self) -> dict[str, Any]:
        """What decides how a request looks on its way, as plain data for the keys of a cache."""
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
        # Up to its number of slots, four where nothing else was chosen.
        max_choices=4,
        extra=MappingProxyType(
            {
                "top_k": 0,
                "min_p": 0.0,
                # The penalty covers the whole text and not only the last 64 tokens. The server
                # refuses -1, and keeps room for so many tokens.
                "repeat_last_n": 32_768,
                # Its own order cuts by top-p before the temperature; everybody else after it.
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
"""By name."""
