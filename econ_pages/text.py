"""Words of a page; untrusted text shows every character that could change how other text looks."""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    # C0 and C1 controls except tab and line feed, and lone surrogates.
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
    # Soft hyphen, Arabic letter mark, zero widths, directions, separators, tags.
    r"\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""``text`` with marks in place of control characters and of what reorders or hides text.

    A control character becomes its picture (``␛`` for escape), every other one its number, as in
    ``⟨U+202E⟩``. Line feeds, tabs and the joiners of scripts stay; ``\r\n`` is a line feed.
    """
    return _INVISIBLE.sub(_mark, text.replace("\r\n", "\n"))


def plural(count: float, noun: str) -> str:
    """The noun as it stands after a count: ``game`` after 1, else ``games``."""
    return noun if count == 1 else f"{noun}s"


def _mark(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"⟨U+{code:04X}⟩"
