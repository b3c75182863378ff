r"""Tolerant reading of flat JSON objects, as language models write them.

It accepts objects with code fences or text around them, trailing commas, single quotes, unquoted
keys and values, unescaped quotes inside strings, unescaped backslashes (``\frac``), and objects
that are cut off. Every step consumes text and no step looks at the same text twice, so the time is
linear and hostile nesting cannot exhaust a stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Value = str | bool | dict[str, bool | str] | list[str] | None
"""A value of an object; numbers stay text."""

_CLOSES = r"\s*(?:[,:}\]]|\Z)"
"""Text behind a quote that ends a string; any other quote belongs to the string."""
_DOUBLE = re.compile(rf'"((?:[^"\\]|\\.|"(?!{_CLOSES}))*)(?:"|\Z|\\\Z)', re.DOTALL)
_SINGLE = re.compile(rf"'((?:[^'\\]|\\.|'(?!{_CLOSES}))*)(?:'|\Z|\\\Z)", re.DOTALL)
_KEY = re.compile(r"""[\s,]*(?:"([^"\n]{1,40})"|'([^'\n]{1,40})'|([A-Za-z_]\w{0,39}))\s*:\s*""")
_INNER = re.compile(r"[{\[]([^{}\[\]]*)[}\]]?")
_BARE = re.compile(r"""(?:[^,}\]\n]|,(?!\s*["'A-Za-z}\]]|\s*\Z))*""")
_FLAG = re.compile(r"""["']?(\w{1,40})["']?\s*:\s*(?:(true|false)\b|["']?([^"',{}]*))""", re.I)
_ITEM = re.compile(r"""\s*["']?([^"',]*)["']?\s*(?:,|\Z)""")
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})')
_MEANING = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_LATEX = re.compile(
    "\b(?=[a-z])|\f(?=[a-z])|\t(?=ext|imes|an\\b|anh|heta|au\\b|o\\b|riangle|frac)"
    "|\n(?=eq|e\\b|eg|u\\b|abla|ot)|\r(?=ight|ho\\b|angle|ceil|floor)"
)
_LETTER = {"\b": r"\b", "\f": r"\f", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


def loose_objects(text: str) -> Iterator[dict[str, Value]]:
    """Yield every object of ``text`` with at least one entry; of equal keys the last counts."""
    position = text.find("{")
    while position >= 0:
        entries, position = _object(text, position + 1)
        if entries:
            yield entries
        position = text.find("{", position)


def restore_latex(text: str) -> str:
    r"""Restore the LaTeX commands that JSON read as escapes: a form feed and "rac" become \frac.

    JSON knows \b, \f, \n, \r and \t. A backspace or form feed before a letter is always a LaTeX
    command; the other three are restored only if a known command follows (``\times``, ``\neq``,
    ``\right``).
    """
    return text if text.isprintable() else _LATEX.sub(lambda match: _LETTER[match[0]], text)


def _object(text: str, position: int) -> tuple[dict[str, Value], int]:
    """The entries from ``position`` (behind the brace) on, and the position behind them."""
    entries: dict[str, Value] = {}
    while key := _KEY.match(text, position):
        name = key[1] or key[2] or key[3]
        entries[name.lower()], position = _value(text, key.end())
    return entries, position


def _value(text: str, position: int) -> tuple[Value, int]:
    first = text[position : position + 1]
    if first in ('"', "'"):
        quoted = (_DOUBLE if first == '"' else _SINGLE).match(text, position)
        if quoted:
            return _unescape(quoted[1]), quoted.end()
    if first and first in "{[" and (inner := _INNER.match(text, position)):
        return (_flags(inner[1]) if first == "{" else _items(inner[1])), inner.end()
    bare = _BARE.match(text, position)
    if bare is None:
        return None, position
    word = bare[0].strip().rstrip("`\"'").strip()
    return _constant(word), bare.end()


def _constant(word: str) -> Value:
    lowered = word.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    return None if lowered in ("", "null", "none", "nan") else word


def _flags(inner: str) -> Value:
    return {
        name: flag.lower() == "true" if flag else other.strip()
        for name, flag, other in _FLAG.findall(inner)
    }


def _items(inner: str) -> Value:
    return [item.strip() for item in _ITEM.findall(inner) if item.strip()]


def _unescape(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted
    plain = _ESCAPE.sub(
        lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "u" else _MEANING[m[1]], quoted
    )
    return restore_latex(plain)
