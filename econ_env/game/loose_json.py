r"""Tolerant reading of JSON objects, as language models write them.

It accepts objects with code fences or text around them, missing and trailing commas, comments,
single quotes, unquoted keys and values, unescaped quotes inside strings, unescaped backslashes
(``\frac``), Python's and Ruby's spellings, and objects that are cut off. Every step consumes text
and no pattern gives back what it has taken, so the time is linear; objects are kept on a list of
limited length, so that hostile nesting exhausts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Value = str | bool | None | dict[str, "Value"] | list["Value"]
"""A value of an object; numbers stay text."""

MAX_DEPTH = 16
"""Maximum number of objects and lists inside each other; a deeper one ends the object."""

_AFTER_COMMA = r"""["'}\]{\[\d#-]|//|:?[A-Za-z_]\w{0,39}+\s*+[:=]|(?:true|false|null|None)\b|\Z"""
_CLOSES = (
    rf"\s*+(?:[:}}\]]|=>|\Z|,\s*+(?:{_AFTER_COMMA})"
    r"""|"[^"\n]{1,40}+"\s*+:|'[^'\n]{1,40}+'\s*+:)"""
)
"""Text behind a quote that ends a string; any other quote belongs to the string."""
_DOUBLE = re.compile(rf'"((?:[^"\\]++|\\.|"(?!{_CLOSES}))*+)(?:"|\\?\Z)', re.DOTALL)
_SINGLE = re.compile(rf"'((?:[^'\\]++|\\.|'(?!{_CLOSES}))*+)(?:'|\\?\Z)", re.DOTALL)
_GAP = re.compile(r"(?:[\s,]|//[^\n]*+|#[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z))*+")
"""Text between entries: blanks, commas and comments."""
_KEY = re.compile(
    r"""(?:"([^"\n]{1,40})"|'([^'\n]{1,40})'|:?([^\W\d][\w -]{0,39}+))\s*+(?:=>|[:=])\s*+"""
)
_BARE = re.compile(
    r"""(?:[^,{}\[\]\n]|\{[^{}\n]*+\}|\[[^\[\]\n]*+\]|,(?!\s*+["'A-Za-z}\]]|\s*+\Z))*+"""
)
_BARE_ITEM = re.compile(r"[^,{}\[\]\n]*+")
_COMMENT = re.compile(r"\s(?://|#)\s")
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})')
_MEANING = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_LATEX = re.compile(
    "\b(?=[a-z])|\f(?=[a-z])|\t(?=ext|imes|an\\b|anh|heta|au\\b|o\\b|riangle|frac)"
    "|\n(?=eq|e\\b|eg|u\\b|abla|ot)|\r(?=ight|ho\\b|angle|ceil|floor)"
)
_LETTER = {"\b": r"\b", "\f": r"\f", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


def loose_objects(text: str) -> Iterator[dict[str, Value]]:
    """Yield every outermost object of ``text`` with at least one entry.

    Keys are in lower case; of equal keys the last counts.
    """
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
    """The entries from ``position`` (behind the brace) on, and the position behind them.

    The object ends with its brace, with the text, or where no entry follows.
    """
    outermost: dict[str, Value] = {}
    open_ones: list[dict[str, Value] | list[Value]] = [outermost]
    while open_ones:
        inner = open_ones[-1]
        gap = _GAP.match(text, position)
        position = gap.end() if gap else position
        if text[position : position + 1] in ("}", "]"):
            open_ones.pop()
            position += 1
            continue
        key = _KEY.match(text, position) if isinstance(inner, dict) else None
        if position == len(text) or (isinstance(inner, dict) and key is None):
            break
        position = key.end() if key else position
        value, position, opens = _value(text, position, in_list=key is None)
        if opens and len(open_ones) == MAX_DEPTH:
            break
        if isinstance(inner, dict) and key is not None:
            inner[(key[1] or key[2] or key[3]).strip().lower()] = value
        elif isinstance(inner, list) and value is not None:
            inner.append(value)
        if opens and isinstance(value, dict | list):
            open_ones.append(value)
    return outermost, position


def _value(text: str, position: int, *, in_list: bool) -> tuple[Value, int, bool]:
    """The value at ``position``, the position behind it, and True if it is still to be filled."""
    first = text[position : position + 1]
    if first == "{":
        return {}, position + 1, True
    if first == "[":
        return [], position + 1, True
    quotes = {'"': _DOUBLE, "'": _SINGLE}.get(first)
    if quotes is not None and (quoted := quotes.match(text, position)):
        return _unescape(quoted[1]), quoted.end(), False
    bare = (_BARE_ITEM if in_list else _BARE).match(text, position)
    if bare is None or bare.end() == position:
        # Nothing that can be read: one character is given up, so that every step consumes text.
        return None, position + (in_list and position < len(text)), False
    word = _COMMENT.split(bare[0], maxsplit=1)[0].strip().rstrip("`\"'").strip()
    return _constant(word), bare.end(), False


def _constant(word: str) -> Value:
    lowered = word.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    return None if lowered in ("", "null", "none", "nan") else word


def _unescape(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted
    plain = _ESCAPE.sub(
        lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "u" else _MEANING[m[1]], quoted
    )
    return restore_latex(plain)
