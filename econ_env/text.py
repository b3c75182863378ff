"""Text that every part of the package can store and send."""

from __future__ import annotations

import re

CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
"""Control characters except tab and newline, other line breaks, and lone surrogates, as a part of
a character class."""
DIRECTION_MARKS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Marks that change the direction of writing, as a part of a character class."""

_UNPRINTABLE = re.compile(f"[{CONTROLS}{DIRECTION_MARKS}]")

CHARACTERS_PER_TOKEN = 32
"""Most characters of a completion per token asked for; few tokens are that long, so only the
completions of models and servers that ignore ``max_tokens`` are cut."""
SPARE_CHARACTERS = 2_048
"""Characters of a completion that are never cut, however few tokens were asked for."""


def longest_completion(max_tokens: int) -> int:
    """Return the length, in characters, to which a completion is cut."""
    return SPARE_CHARACTERS + CHARACTERS_PER_TOKEN * max_tokens


def encodable(text: str) -> str:
    """``text`` with ``?`` for lone surrogates, which JSON can spell but UTF-8 cannot encode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """``text`` with ``?`` for all that a terminal would obey and a file could not hold.

    These are control characters except tab and newline (so no escape sequence is left), marks that
    change the direction of writing, and lone surrogates.
    """
    return text if text.isprintable() else _UNPRINTABLE.sub("?", text)
