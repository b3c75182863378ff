"""Checks of the arithmetic that a response states: equations between numbers, worked out again.

Small models reason better than they calculate: "216 * 34 = 7304" in the middle of a solution makes
its answer wrong, whatever else is right. :func:`false_equations` finds such steps without a model.
It judges only what it reads with certainty: numbers, the four operations, brackets, percentages,
LaTeX fractions, and units after numbers. Equations with variables, powers, mixed units or words for
numbers are passed over, and so is what rounding or a change of units may explain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

MAX_CHARACTERS = 20_000
"""Longest text that is read; of a longer one, this many characters of its beginning."""

_MAX_DIGITS = 15
_MAX_TOKENS = 60
"""Tokens of one side of an equation; a longer side is passed over."""

_LATEX = [
    (re.compile(r"\\(?:text|textbf|mathrm|mathbf|boxed)\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}"), r" ((\1)/(\2)) "),
    (re.compile(r"\\(?:left|right)(?![a-z])"), ""),
    (re.compile(r"\\(?:times|cdot)(?![a-z])|[×·⋅∗]"), "*"),
    (re.compile(r"\\div(?![a-z])|÷"), "/"),
    (re.compile("[\N{MINUS SIGN}\N{EN DASH}]"), "-"),
    (re.compile(r"\\\\|\\quad(?![a-z])"), "\n"),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\[,;!: ()$\[\]]|[$&~€£]|\*\*"), " "),
    (re.compile(r"\{,\}"), ","),
]
"""Replacements of LaTeX, Markdown and signs of currencies."""

_PLAIN = [
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), ""),
    (re.compile(r"(?<=[\d)])[ \t]{0,3}[xX][ \t]{0,3}(?=[\d(])"), "*"),
    (re.compile(r"/[ \t]{0,3}(?=[a-zA-Z])"), " per "),
    (re.compile(r"^[ \t]{0,20}(?:[-*+•]|\d{1,3}[.)])[ \t]+", re.M), ""),
]
"""Replacements of thousands separators, a letter for "times", rates and bullets."""

_TOKEN = re.compile(r"(\d+(?:\.\d+)?)|([^\W\d_]+)|([-+*/()=%])|(\S)")
_OPERATORS = frozenset("+-*/")
_ENDINGS = frozenset(".,;:!?)]}\"'`|#<>")
"""Signs after which a side of an equation is over."""

_BEFORE_NAMES = frozenset("+-*/(")
"""Signs before a word that is no unit but the name of a number."""

_NUMBER_WORDS = frozenset(
    "million billion thousand hundred hundreds dozen dozens half quarter percent remainder squared "
    "cubed mod".split()
)
"""Words that change the number before them."""
_JOINING_WORDS = frozenset(
    "of plus minus times by over less than twice thrice double triple half sqrt frac".split()
)
"""Words before an expression that make it the part of a larger one."""
_LABELS = frozenset("step day week month year case part option equation solution".split())
"""Words whose number is a label, as in "Day 1 - 5 * 3 = 15"."""

_CONVERSIONS = frozenset(
    map(Fraction, (3, 4, 7, 10, 12, 16, 24, 28, 30, 36, 52, 60, 100, 360, 365, 1000, 1440, 3600))
)
"""Factors between units: a quotient of two sides that may be a change of units."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    kind: str
    """"number", "word", "symbol" or "other"."""
    glued: bool
    """True if no space stands before it."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of an equation that was read with certainty."""

    tokens: tuple[str, ...]
    """Numbers, operators, brackets and percent signs."""
    first: Fraction
    """Value of the first number."""
    value: Fraction

    @property
    def calculates(self) -> bool:
        """True if there is something to work out."""
        return any(token in _OPERATORS for token in self.tokens[1:])

    @property
    def inexact(self) -> bool:
        """True if the value may have been rounded on the way."""
        return any(piece == "/" or "." in piece for piece in self.tokens)


def false_equations(text: str) -> list[str]:
    """Return the equations in ``text`` that do not hold, such as ``"216*34 = 7304"``, in order."""
    found = []
    for line in _plain(text[:MAX_CHARACTERS]).splitlines():
        if "=" not in line:
            continue
        sides = _sides(_tokens(line))
        for before, after in pairwise(sides):
            left, right = _ending(before), _beginning(after)
            if left and right and left.calculates and not _holds(left, right):
                found.append(f"{''.join(left.tokens)} = {''.join(right.tokens)}")
    return found


def _plain(text: str) -> str:
    for pattern, instead in (*_LATEX, *_PLAIN):
        text = pattern.sub(instead, text)
    return text


def _tokens(line: str) -> list[_Token]:
    tokens = []
    end = -1
    for match in _TOKEN.finditer(line):
        kind = ("number", "word", "symbol", "other")[match.lastindex - 1 if match.lastindex else 3]
        tokens.append(_Token(match[0], kind, match.start() == end))
        end = match.end()
    return tokens


def _sides(tokens: Sequence[_Token]) -> list[list[_Token]]:
    """The tokens between equals signs; a doubled sign, as of a programme, leaves an empty side."""
    sides: list[list[_Token]] = [[]]
    for token in tokens:
        if token.text == "=":
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def _ending(tokens: Sequence[_Token]) -> _Side | None:
    """The expression at the end of a left side; None if there is none, or if it is uncertain."""
    kept: list[str] = []
    index = len(tokens)
    while True:
        start = _operand_before(tokens, index)
        if start is None or len(kept) > _MAX_TOKENS or _has_variable(tokens[start:index]):
            return None
        kept = [*_calculation(tokens[start:index]), *kept]
        before = tokens[start - 1] if start else None
        if before is None or before.text not in _OPERATORS:
            break
        kept = [before.text, *kept]
        index = start - 1
        if index == 0 and before.text == "-":  # a sign
            start, before = 0, None
            break
    if before is not None and not _is_clean_start(tokens, start):
        return None
    return _side(kept)


def _operand_before(tokens: Sequence[_Token], end: int) -> int | None:
    """Beginning of the number or bracket that ends at ``end``, units after it included."""
    index = end
    while index and tokens[index - 1].kind == "word":
        index -= 1
        if tokens[index].text.lower() in _NUMBER_WORDS:
            return None
    if index and tokens[index - 1].text == "%":
        index -= 1
    if not index:
        return None
    last = tokens[index - 1]
    if last.kind == "number":
        return index - 1
    if last.text != ")":
        return None
    depth = 0
    for start in range(index - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(tokens[start].text, 0)
        if depth == 0:
            return start
    return None


def _is_clean_start(tokens: Sequence[_Token], start: int) -> bool:
    """True if an expression that begins at ``start`` is not the part of a larger one."""
    before = tokens[start - 1]
    if before.kind == "word":
        word = before.text.lower()
        if tokens[start].glued or word in _JOINING_WORDS or word in _LABELS or len(word) == 1:
            return False
        # "3 hours 20 minutes", "3 hours and 20 minutes": a number so near before belongs to it.
        words = 2 if start > 1 and tokens[start - 2].kind == "word" else 1
        return start <= words or tokens[start - words - 1].kind != "number"
    return before.kind == "other" and before.text in _ENDINGS and not tokens[start].glued


def _beginning(tokens: Sequence[_Token]) -> _Side | None:
    """The expression at the beginning of a right side; None if it is uncertain."""
    kept: list[str] = []
    index = 0
    if tokens and tokens[0].text == "-":
        kept, index = ["-"], 1
    while True:
        end = _operand_after(tokens, index)
        if end is None or len(kept) > _MAX_TOKENS or _has_variable(tokens[index:end]):
            return None
        kept += _calculation(tokens[index:end])
        index = end
        if index == len(tokens) or tokens[index].text not in _OPERATORS:
            break
        kept.append(tokens[index].text)
        index += 1
    if index < len(tokens) and tokens[index].text not in _ENDINGS:
        # A bracket in words explains the number; one of numbers multiplies it.
        nearby = tokens[index + 1] if index + 1 < len(tokens) else None
        if tokens[index].text != "(" or nearby is None or nearby.kind != "word":
            return None
    return _side(kept)


def _operand_after(tokens: Sequence[_Token], start: int) -> int | None:
    """End of the number or bracket that begins at ``start``, units after it included."""
    if start >= len(tokens):
        return None
    index = start
    if tokens[index].kind == "number":
        index += 1
    elif tokens[index].text == "(":
        depth = 0
        for index in range(start, len(tokens)):
            depth += {"(": 1, ")": -1}.get(tokens[index].text, 0)
            if depth == 0:
                break
        else:
            return None
        index += 1
    else:
        return None
    if index < len(tokens) and tokens[index].text == "%":
        index += 1
    while index < len(tokens) and tokens[index].kind == "word":
        if tokens[index].text.lower() in _NUMBER_WORDS:
            return None
        index += 1
    if index < len(tokens) and tokens[index].kind == "number" and index > start + 1:
        return None  # "3 hours 20 minutes"
    return index


def _has_variable(tokens: Sequence[_Token]) -> bool:
    """True if a letter or a word may stand for a number: "3x", "2 y", "(a + 1)"."""
    pairs = zip([None, *tokens], tokens, strict=False)
    return any(
        token.kind == "word"
        and (len(token.text) == 1 or token.glued or before is None or before.text in _BEFORE_NAMES)
        for before, token in pairs
    )


def _calculation(tokens: Sequence[_Token]) -> list[str]:
    """Numbers, operators and brackets: everything but units."""
    return [token.text for token in tokens if token.kind != "word"]


def _side(tokens: Sequence[str]) -> _Side | None:
    try:
        value, end = _sum(tokens, 0, 0)
    except (_Unreadable, ZeroDivisionError):
        return None
    if end != len(tokens):
        return None
    first = next(token for token in tokens if token[0].isdigit())
    return _Side(tokens=tuple(tokens), first=Fraction(first), value=value)


class _Unreadable(Exception):
    """An expression is not one of numbers, operations and brackets."""


def _sum(tokens: Sequence[str], index: int, depth: int) -> tuple[Fraction, int]:
    value, index = _product(tokens, index, depth)
    while index < len(tokens) and tokens[index] in ("+", "-"):
        sign = tokens[index]
        other, index = _product(tokens, index + 1, depth)
        value = value + other if sign == "+" else value - other
    return value, index


def _product(tokens: Sequence[str], index: int, depth: int) -> tuple[Fraction, int]:
    value, index = _factor(tokens, index, depth)
    while index < len(tokens) and tokens[index] in ("*", "/"):
        sign = tokens[index]
        other, index = _factor(tokens, index + 1, depth)
        value = value * other if sign == "*" else value / other
    return value, index


def _factor(tokens: Sequence[str], index: int, depth: int) -> tuple[Fraction, int]:
    if index >= len(tokens) or depth > _MAX_TOKENS:
        raise _Unreadable
    piece = tokens[index]
    if piece == "-":
        value, index = _factor(tokens, index + 1, depth + 1)
        return -value, index
    if piece == "(":
        value, index = _sum(tokens, index + 1, depth + 1)
        if index >= len(tokens) or tokens[index] != ")":
            raise _Unreadable
    elif piece[0].isdigit() and piece.isascii() and len(piece) <= _MAX_DIGITS:
        value = Fraction(piece)
    else:
        raise _Unreadable
    index += 1
    if index < len(tokens) and tokens[index] == "%":
        return value / 100, index + 1
    return value, index


def _holds(left: _Side, right: _Side) -> bool:
    """True if two sides are equal, or if rounding or a change of units may make them so."""
    if left.value == right.value:
        return True
    if left.value == right.first and right.calculates:
        return True  # "2 + 3 = 5 + 4 = 9": the calculation goes on
    decimals = max(len(token.partition(".")[2]) for token in right.tokens)
    unit = Fraction(1, 10**decimals)
    if abs(left.value - right.value) < (unit if left.inexact or right.inexact else unit / 2):
        return True
    if not left.value or not right.value:
        return False
    quotient = left.value / right.value
    return abs(quotient) in _CONVERSIONS or 1 / abs(quotient) in _CONVERSIONS
