"""Texts that math-verify must not see: non-formulas, and values too large to write down."""

from __future__ import annotations

import math
import re

MAX_ANSWER_LENGTH = 500
"""Maximum length of an answer in characters; the longest gold answer of MATH has about 160."""
MAX_EXPONENT = 10_000
MAX_FACTORIAL = 10_000
_CAP = 1_000_000
"""Value that stands for all values above the limits."""

_AROUND = re.compile(r"[{}()\[\]]|\\(?:[dt]?frac|sqrt(?: ?\[[^\[\]]*\])?|left|right)")
"""Marks around a number that do not make it small."""
# These patterns read texts whose blanks are single, and begin at no digit inside a number: so the
# time is linear. The powers are 9^9^9, x^9! and (9^9)!.
_POWER = re.compile(r"((?<!\d)\d++|) ?+!?((?: ?+(?:\^|\*\*)[ +-]*+\d++(?: ?+!)?+)++)")
_PART = re.compile(r"(?<!\d)(\d++)(?: ?(!))?")
_FACTORIAL = re.compile(r"(?<!\d)(\d++) ?!")
_TWICE = re.compile(r"(?<!\d)(\d++) ?! ?[)}] ?!")
_BINOMIAL = re.compile(r"\\[dt]?binom ?\{((?:[^{}]|\{[^{}]*+\})*+)\}|(?<![^{}])([^{}]*)\\choose")
_NO_FORMULA = re.compile(r"__|[\"`@#]|'\s*[A-Za-z)]")  # f'(x) is one, ('os') and it's are not


def is_no_formula(text: str) -> bool:
    """True if ``text`` is no formula: program code, shell commands, prose with quotes.

    math-verify would read it as a product of letters. It would run no code, but waste time.
    """
    return _NO_FORMULA.search(text) is not None


def is_excessive(text: str) -> bool:
    """True if ``text`` is too long, or holds a power or factorial that no answer needs.

    Only literal numbers are checked, through braces and roots: a root counts as its radicand. A
    value that slips through meets the limits of the worker process and costs a second; one that is
    found here costs no time.
    """
    if len(text) > MAX_ANSWER_LENGTH:
        return True
    text = " ".join(text.split())
    bare = " ".join(_AROUND.sub(" ", text).split())
    return (
        any(int(match[1]) > MAX_FACTORIAL for match in _FACTORIAL.finditer(bare))
        or any(_factorial(int(match[1])) > MAX_FACTORIAL for match in _TWICE.finditer(text))
        or any(_is_huge_power(match) for match in _POWER.finditer(bare))
        or any(_is_huge_binomial(match[1] or match[2]) for match in _BINOMIAL.finditer(text))
    )


def _is_huge_power(match: re.Match[str]) -> bool:
    exponents = [
        _factorial(int(digits)) if mark else int(digits) for digits, mark in _PART.findall(match[2])
    ]
    if _tower(exponents) > MAX_EXPONENT:
        return True
    is_factorial = match[2].rstrip().endswith("!") and match[1] != ""
    return (
        is_factorial
        and _tower([int(match[1]), *map(int, re.findall(r"\d+", match[2]))]) > MAX_FACTORIAL
    )


def _is_huge_binomial(arguments: str | None) -> bool:
    """True if a literal or a power of literals in the upper argument is too large."""
    bare = _AROUND.sub(" ", arguments or "")
    towers = re.findall(r"(?<!\d)\d++(?: *+(?:\^|\*\*)[ +-]*+\d++)*+", bare)
    return any(
        _tower(list(map(int, re.findall(r"\d+", tower)))) > MAX_FACTORIAL for tower in towers
    )


def _tower(parts: list[int]) -> int:
    """The value of a^(b^(c^...)), capped above all limits."""
    value = 1
    for base in reversed(parts):
        # Compared by logarithm: base**value is only computed if it stays below the cap.
        is_small = base <= 1 or value * math.log(base) <= math.log(_CAP)
        value = min(base**value, _CAP) if is_small else _CAP
    return value


def _factorial(number: int) -> int:
    """``number!``, capped above all limits."""
    return math.factorial(number) if number < 10 else _CAP
