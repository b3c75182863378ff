"""A request as the JSON body that one kind of server understands."""

from __future__ import annotations

import json
import math
from typing import Any

from econ_env.llm.api.errors import UnsupportedSetting
from econ_env.llm.api.profiles import ServerProfile
from econ_env.llm.api.settings import ApiSettings
from econ_env.llm.types import ChatRequest

FREQUENCY_PER_LOG_PENALTY = 4.0
"""Frequency penalty that corresponds to a repetition penalty of e."""

MAX_FREQUENCY_PENALTY = 2.0
"""Largest magnitude: servers accept frequency penalties in [-2, 2]."""

_NEUTRAL = 1.0


def frequency_penalty(repetition_penalty: float) -> float:
    """Return the frequency penalty for a repetition penalty p: 4·ln(p), clipped to [-2, 2].

    A repetition penalty divides a positive logit of a token that has occurred by p; a frequency
    penalty subtracts f for each occurrence. No f is equivalent to p, but this one has the
    properties that matter to a learner: it is 0 at the neutral p = 1, rises with p, gives p and 1/p
    opposite values, and maps the default range [0.8, 1.5] of p to [-0.89, 1.62].
    """
    penalty = FREQUENCY_PER_LOG_PENALTY * math.log(repetition_penalty)
    return max(-MAX_FREQUENCY_PENALTY, min(MAX_FREQUENCY_PENALTY, penalty))


def check_supported(name: str, profile: ServerProfile, settings: ApiSettings) -> None:
    """Raise :class:`UnsupportedSetting` if the server cannot do what the settings ask for."""
    action = settings.second_action
    if action == "repetition_penalty" and profile.penalty is None:
        remedy = (
            'second_action="frequency_penalty" to send it as a frequency penalty, or '
            if profile.frequency_penalty
            else ""
        )
        raise UnsupportedSetting(
            f"{name!r}: {profile.name} servers have no repetition penalty, so the second half of "
            f'an action would do nothing. Set {remedy}second_action="none" to do without it'
        )
    if action == "frequency_penalty" and not profile.frequency_penalty:
        raise UnsupportedSetting(
            f"{name!r}: {profile.name} servers have no frequency penalty. Set "
            'second_action="repetition_penalty" or "none"'
        )
    if settings.json_mode and not profile.json_mode:
        raise UnsupportedSetting(
            f"{name!r}: {profile.name} servers have no JSON mode. Set json_mode=False"
        )


def request_body(
    request: ChatRequest,
    *,
    model: str,
    profile: ServerProfile,
    settings: ApiSettings,
    choices: int = 1,
) -> bytes:
    """Return the body for ``choices`` answers to ``request``, as UTF-8 JSON.

    Raises:
        ValueError: a number of the request is not finite, or its penalty is not above 0.
    """
    if not (math.isfinite(request.repetition_penalty) and request.repetition_penalty > 0):
        raise ValueError(
            f"repetition_penalty must be finite and above 0, not {request.repetition_penalty}"
        )
    penalty = _NEUTRAL
    if settings.second_action == "repetition_penalty":
        penalty = request.repetition_penalty
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": message.role, "content": message.content} for message in request.messages
        ],
        settings.token_field or profile.token_field: request.max_tokens,
    }
    temperature = max(request.temperature, settings.min_temperature)
    if profile.penalty == "generation_config":
        body["generation_config"] = _generation_config(request, temperature, penalty)
    else:
        body["temperature"] = temperature
        body["top_p"] = request.top_p
        if profile.penalty is not None:
            body[profile.penalty] = penalty
    body.update(profile.extra)
    if settings.second_action == "frequency_penalty":
        body["frequency_penalty"] = frequency_penalty(request.repetition_penalty)
    if profile.seed:
        body["seed"] = request.seed
    if choices > 1:
        body["n"] = choices
    if request.schema is not None and profile.json_schema:
        schema = {"name": request.role, "strict": True, "schema": json.loads(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif settings.json_mode and request.role in ("commit", "local_commit"):
        body["response_format"] = {"type": "json_object"}
    body.update(settings.extra_body)
    for name in settings.omit_fields:
        body.pop(name, None)
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode("ascii")


def _generation_config(request: ChatRequest, temperature: float, penalty: float) -> str:
    """Return the sampling parameters for ``transformers serve``, which adds no defaults."""
    config: dict[str, Any] = {"do_sample": temperature > 0, "repetition_penalty": penalty}
    if temperature > 0:
        # top_k=0 switches off a filter that is on by default, with k = 50.
        config |= {"temperature": temperature, "top_p": request.top_p, "top_k": 0}
    return json.dumps(config, allow_nan=False, separators=(",", ":"))
