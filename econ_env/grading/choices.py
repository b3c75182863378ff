"""Letters that stand for one of several given answers, alone or with the text of the answer."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAMED = r"(?:(?:the\s)?(?:correct\s)?(?:option|choice|answer|letter)\s{0,3})?"
_LETTER = re.compile(
    rf"{_NAMED}(?:([A-J])|\(\s?([A-Ja-j])\s?\)|\[([A-J])\]|([A-Ja-j])\))[.:]?", re.IGNORECASE
)
_WITH_TEXT = re.compile(
    rf"{_NAMED}(?:(?-i:\(([A-Ja-j])\)|\[([A-J])\]|([A-Ja-j])\)|([A-J])[.:])[.:]?\s"
    r"|(?-i:([A-J])) - (?=[A-Za-z]{3}))\s{0,9}(?=\S)",
    re.IGNORECASE,
)
_ANOTHER_LETTER = re.compile(r"(?:(?:and|or|,|&)\s*)?[(\[]?[A-Ja-j][)\].:](?:\s|$)|(?:and|or)\b")


class Choice(NamedTuple):
    """One of several given answers."""

    letter: str
    """Letter of the answer, from A to J."""
    text: str
    """Text of the answer; empty if only the letter is given."""


def read_choice(text: str) -> Choice | None:
    """Read ``B``, ``(B)``, ``option B``, ``B) Paris`` and the like; None for anything else.

    A small letter counts only in front of a bracket, since it may be a variable. Several letters
    are no choice.
    """
    alone = _LETTER.fullmatch(text)
    if alone is not None:
        letter = next(filter(None, alone.groups()))
        if letter.islower() and not text.rstrip(".:").endswith((")", "]")):
            return None
        return Choice(letter.upper(), "")
    marked = _WITH_TEXT.match(text)
    if marked is None:
        return None
    rest = text[marked.end() :].strip()
    if _ANOTHER_LETTER.match(rest):
        return None
    return Choice(next(filter(None, marked.groups())).upper(), rest)
