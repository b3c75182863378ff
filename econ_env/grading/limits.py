"""What is turned away before math-verify: no formulas, and values too large to write down."""

from __future__ import annotations

import re

MAX_ANSWER_LENGTH = 500
"""Characters. The longest gold answer of MATH has about 160."""
MAX_EXPONENT = 10_000
MAX_FACTORIAL = 10_000

_FACTORIAL = re.compile(r"(\d+)\s*[)}]*\s*!")
_EXPONENT = re.compile(r"(?:\^|\*\*)[\s{(+-]*(\d+)")
_TOWER = re.compile(
    r"\d[\s)}]*(?:\^|\*\*)[\s{(+-]*\d+[\s)}]*(?:\^|\*\*)[\s{(+-]*\d"  # 9^9^9, 5^(5^(5^...
)
_NO_FORMULA = re.compile(r"__|[\"`@#]|'\s*[A-Za-z)]")  # f'(x) is one, ('os') and it's are not


def is_no_formula(text: str) -> bool:
    """Whether ``text`` holds what no formula does: program code, shell commands, prose with quotes.

    math-verify would read it as a product of letters. It would run nothing, but take its time.
    """
    return _NO_FORMULA.search(text) is not None


def is_excessive(text: str) -> bool:
    """Whether ``text`` is too long, or holds a power or factorial that no answer needs.

    Only literal numbers are looked at. What slips through meets the limits of the worker process,
    where it costs a second; what is found here costs nothing.
    """
    if len(text) > MAX_ANSWER_LENGTH:
        return True
    return (
        _exceeds(_FACTORIAL, text, MAX_FACTORIAL)
        or _exceeds(_EXPONENT, text, MAX_EXPONENT)
        or _TOWER.search(text) is not None
    )


def _exceeds(pattern: re.Pattern[str], text: str, limit: int) -> bool:
    return any(int(match[1]) > limit for match in pattern.finditer(text))
