"""Advice on a server's refusal of a request: the flag that changes what it refuses."""

from __future__ import annotations

import re
from collections.abc import Collection

_TOKEN_FIELDS = ("max_tokens", "max_completion_tokens")
_PENALTIES = frozenset(
    {"repetition_penalty", "repeat_penalty", "frequency_penalty", "generation_config"}
)
_ESSENTIAL = frozenset({"model", "messages", "n", "temperature", *_TOKEN_FIELDS, *_PENALTIES})
_ONLY_DEFAULT = re.compile(
    r"only (?:the )?(?:default|1\b)|does not support 0\.\d|only supports? 1\b"
)
_LEAST = re.compile(
    r"(?:at least|>=?|greater than(?: or equal to)?|no less than|above|minimum(?: of| is)?)\D{0,12}"
    r"(\d+(?:\.\d+)?)"
)
SMALL_TEMPERATURE = 0.01
"""Temperature that is proposed to a server that refuses 0."""


def advice_on(words: str, sent: Collection[str]) -> str:
    """Return the flag that helps against a refusal in these words; "" if none is known.

    Args:
        words: of the server.
        sent: names of the fields of the request.
    """
    said = words.lower()
    if re.search(r"api[-_ ]?version", said):
        return "name the version of its interface: --query-parameters api-version=VERSION"
    named = {name for name in sent if re.search(rf"(?<![a-z_]){re.escape(name)}(?![a-z_])", said)}
    for field, other in (_TOKEN_FIELDS, _TOKEN_FIELDS[::-1]):
        if field in named:
            return f"name the token limit differently: --token-field {other}"
    if "temperature" in named:
        return _about_temperature(said)
    if named & _PENALTIES:
        return (
            "leave the penalty out: --second-action none, or frequency_penalty if it takes that one"
        )
    fields = sorted(named - _ESSENTIAL)
    if fields:
        flag = "--omit-field" if len(fields) == 1 else "--omit-fields"
        return f"leave out what it refuses: {flag} {' '.join(fields)}"
    return ""


def _about_temperature(said: str) -> str:
    if _ONLY_DEFAULT.search(said):
        return (
            "it accepts no temperature but its own, so it cannot be an executor; a coordinator "
            "can do without: --omit-field temperature"
        )
    least = _LEAST.search(said)
    number = float(least[1]) if least is not None and float(least[1]) > 0 else SMALL_TEMPERATURE
    return f"keep above its lowest temperature: --min-temperature {number:g}"
