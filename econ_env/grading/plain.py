"""Plain values: numbers, short tuples and words, read and compared exactly without ``eval``.

Numbers may be written with thousands separators, as decimals, fractions, mixed numbers, powers
of ten, percent or money, in LaTeX or plain text, with a unit. They become fractions, so that
comparing them never rounds. Any other text is not a plain value and is left to math-verify.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from econ_env.grading.latex import WORDS_OF_MATHEMATICS, unwrap_text
from econ_env.grading.moments import read_moment
from econ_env.grading.units import CURRENCIES, MONEY, PERCENT, read_short_multiplier, read_unit

MAX_DIGITS = 300
"""Maximum digits of a number and maximum power of ten of a plain value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A number as it was written."""

    value: Fraction
    places: int | None
    """Number of decimal places written; None for a fraction, which is always exact."""
    digits: int
    """Number of significant digits written."""
    unit: str
    """Canonical unit (``"percent"`` is one); empty if there is none or it is unknown."""
    name: str
    """The last word in front of an equals sign; empty if there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Two or more numbers: a tuple, an interval, a set or a bare list."""

    brackets: str
    """``()``, ``[]``, ``[)``, ``(]``, ``{}``, or empty for a bare list."""
    items: tuple[Number, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """Words compared as text: a name, a choice, yes or no."""

    text: str


Plain = Number | Group | Word

_HEAD = re.compile(
    r"(?:(?P<name>[A-Za-z][A-Za-z ]{0,30})(?:=|\\approx)\s*|\\approx\s*"
    r"|(?:exactly|about|approximately|approx\.?|roughly|around)\s+)?"
    rf"(?P<sign>[+-]|(?:[Nn]egative|[Mm]inus)\s)?\s*(?P<money>{MONEY})?\s*(?P<late_sign>[+-])?"
)
_FRACTION = re.compile(
    r"(?:(?P<whole>\d+)(?:\s+|(?=\\)))?"
    r"(?:\\frac\s*(?:\{\s*(?P<minus>-)?\s*(?P<n1>\d+)\s*\}|(?P<n2>\d))"
    r"\s*(?:\{\s*(?P<d1>\d+)\s*\}|(?P<d2>\d))"
    r"|(?P<n3>\d+)\s*/\s*(?P<d3>\d+))"
)
_DECIMAL = re.compile(
    r"(?P<int>\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)"
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d+)?(?:\.(?P<dec>\d*))?"
    r"(?:[eE](?P<e>[+-]?\d{1,4})"
    r"|\s*(?:\\times|\\cdot|\*)\s*10\s*\^\s*(?:\{\s*(?P<p1>[+-]?\d{1,4})\s*\}"
    r"|\((?P<p2>[+-]?\d{1,4})\)|(?P<p3>[+-]?\d{1,4})))?"
)
_WITH_COMMA = re.compile(
    r"(?P<int>[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d{0,2}(?: \d{3})+),(?P<dec>\d{1,9})(?![\d.,])"
    r"|(?P<groups>[1-9]\d{0,2}(?:\.\d{3}){2,})(?![\d.,])"
    r"|(?P<whole>\d{1,9}),(?P<rest>\d{1,2}|\d{4,9})(?![\d.,])"
)
"""Numbers with a decimal comma or with points between groups of digits."""
_BASE = re.compile(r"_\s*(?:\{\s*(\d{1,2})\s*\}|(\d{1,2}))\s*")
_WORD = re.compile(r"\(?\s*([A-Za-z](?:[A-Za-z' -]*[A-Za-z])?)\s*\)?")
_UNITS_OF_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBER_WORDS = {word: number for number, word in enumerate(_UNITS_OF_NUMBERS)} | {
    word: number for number, word in zip(range(20, 100, 10), _TENS, strict=True)
}
_NUMBER_WORD = re.compile(
    rf"(?P<minus>(?:minus|negative) )?(?:(?P<tens>{'|'.join(_TENS)})[- ]"
    rf"(?P<ones>{'|'.join(_UNITS_OF_NUMBERS[1:10])})|(?P<word>{'|'.join(_NUMBER_WORDS)}))"
    r"(?:\s(?P<rest>.*))?",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"[a-z]{2,20}s")
_OTHER_NAMES = {
    r"\emptyset": "empty set",
    "the empty set": "empty set",
    r"\infty": "infinity",
    r"+\infty": "infinity",
    r"-\infty": "-infinity",
    "infinity": "infinity",
    "-infinity": "-infinity",
    "dne": "does not exist",
    "no solutions": "no solution",
}
"""Words for a symbol or in another spelling."""
_TRUTH = {"true": "yes", "false": "no"}
_CLOSING = {"(": ")]", "[": "])"}


@lru_cache(maxsize=8192)
def parse_plain(text: str) -> Plain | None:
    """The plain value of ``text``, which :func:`~econ_env.grading.latex.clean` has cleaned.

    Return None if it is not a plain value. Time grows linearly with the length.
    """
    if text.isdecimal() and text.isascii() and len(text) <= MAX_DIGITS:
        return _integer(text)
    bare = unwrap_text(text)
    name = _OTHER_NAMES.get(" ".join(bare.lower().split()))
    if name is not None:
        return Word(text=name)
    return (
        _number(bare)
        or _number_in_words(bare)
        or _moment(bare)
        or _group(bare)
        or _word(bare, quoted=bare != text)
    )


def with_decimal_comma(text: str) -> Number | None:
    """The number of a text such as ``3,50``, which could be a list as well; None for others."""
    if re.fullmatch(r"[+-]?\d{1,9},\d{2}", text, re.ASCII) is None:
        return None
    return _number(text.replace(",", "."))


def same_plain(a: Plain, b: Plain) -> bool:
    """True if two plain values are equal. Symmetric; values of different kinds never are."""
    if isinstance(a, Number) and isinstance(b, Number):
        return _same_number(a, b)
    if isinstance(a, Group) and isinstance(b, Group):
        return _same_group(a, b)
    return isinstance(a, Word) and isinstance(b, Word) and a.text == b.text


def _integer(digits: str) -> Number:
    return Number(value=Fraction(int(digits)), places=0, digits=len(digits), unit="", name="")


def _number(text: str) -> Number | None:
    head = _HEAD.match(text)
    if head is None or (head["sign"] and head["late_sign"]):
        return None
    money = CURRENCIES[head["money"]] if head["money"] else None
    read = (
        _fraction(text, head.end())
        or _decimal_with_comma(text, head.end(), money=money)
        or _decimal(text, head.end())
    )
    if read is None:
        return None
    value, places, digits, end = read
    unit = _unit_after(text, end, money=money)
    if unit is None:
        return None
    scale, name = unit
    if (head["sign"] or "+") != "+" or head["late_sign"] == "-":
        value = -value
    variable = head["name"].split()[-1] if head["name"] else ""
    return Number(value=value * scale, places=places, digits=digits, unit=name, name=variable)


def _fraction(text: str, start: int) -> tuple[Fraction, None, int, int] | None:
    match = _FRACTION.match(text, start)
    if match is None or match.end() - start > MAX_DIGITS:
        return None
    whole, minus, n1, n2, d1, d2, n3, d3 = match.groups()
    numerator, denominator = int(n1 or n2 or n3), int(d1 or d2 or d3)
    if denominator == 0 or (whole and (minus or numerator >= denominator)):
        return None
    value = Fraction(numerator, denominator)
    if minus:
        value = -value
    return value + int(whole or 0), None, match.end() - start, match.end()


def _decimal(text: str, start: int) -> tuple[Fraction, int, int, int] | None:
    match = _DECIMAL.match(text, start)
    if match is None:
        return None
    whole, decimals, *exponents = match.groups()
    digits = (whole or "").replace(",", "").replace(" ", "") + (decimals or "")
    exponent = int(next(filter(None, exponents), "0"))
    if not digits or len(digits) > MAX_DIGITS or abs(exponent) > MAX_DIGITS:
        return None
    places = len(decimals or "") - exponent
    value = Fraction(int(digits) * 10 ** max(-places, 0), 10 ** max(places, 0))
    return value, max(places, 0), len(digits.lstrip("0")), match.end()


def _decimal_with_comma(
    text: str, start: int, *, money: str | None
) -> tuple[Fraction, int, int, int] | None:
    """A number in the European way. ``3,5`` is one with a unit only: else it may be a list."""
    match = _WITH_COMMA.match(text, start)
    if match is None or match.end() - start > MAX_DIGITS:
        return None
    end = match.end()
    if match["whole"]:
        unit = _unit_after(text, end, money=None)
        if unit is None or not (money or unit[1]) or match["rest"].startswith(" "):
            return None
    whole = re.sub(r"\D", "", match["int"] or match["groups"] or match["whole"])
    decimals = match["dec"] or match["rest"] or ""
    value = Fraction(int(whole + decimals), 10 ** len(decimals))
    return value, len(decimals), len((whole + decimals).lstrip("0")), end


def _number_in_words(text: str) -> Number | None:
    """A number up to ninety-nine in words, alone or in front of a unit or a counted thing."""
    match = _NUMBER_WORD.fullmatch(text)
    if match is None:
        return None
    if match["tens"]:
        value = _NUMBER_WORDS[match["tens"].lower()] + _NUMBER_WORDS[match["ones"].lower()]
    else:
        value = _NUMBER_WORDS[match["word"].lower()]
    factor, unit = 1, ""
    rest = (match["rest"] or "").strip()
    if rest:
        read = read_unit(rest, glued=False)
        if read is None or (read == (1, "") and _COUNTED.fullmatch(rest) is None):
            return None
        factor, unit = read
    return Number(
        value=Fraction((-value if match["minus"] else value) * factor),
        places=0,
        digits=len(str(value)),
        unit=unit,
        name="",
    )


def _moment(text: str) -> Word | None:
    moment = read_moment(text)
    return None if moment is None else Word(text=moment)


def _unit_after(text: str, end: int, *, money: str | None) -> tuple[int, str] | None:
    """The factor and the unit that follow a number; None if the rest is not a unit."""
    rest = text[end:].strip()
    if not rest:
        return 1, money or ""
    base = _BASE.fullmatch(rest)
    if base is not None:
        return None if money else (1, f"base {base[1] or base[2]}")
    glued = not text[end].isspace()
    if money and glued:  # $15k, $2.5M
        factor, length = read_short_multiplier(rest)
        if factor > 1:
            more = _unit_after(rest, length, money=money)
            return None if more is None else (factor * more[0], more[1])
    read = read_unit(rest, glued=glued)
    if read is None or not money:
        return read
    # "$5 each" and "$5 million" are still money, "$5 kg" has no meaning.
    return None if read[1] not in ("", money) else (read[0], money)


def _group(text: str) -> Plain | None:
    opening, closing, inner = "", "", text
    if text.startswith("\\{") and text.endswith("\\}"):
        opening, closing, inner = "{", "}", text[2:-2]
    elif text and text[0] in _CLOSING and text[-1] in _CLOSING[text[0]]:
        opening, closing, inner = text[0], text[-1], text[1:-1]
    parts = [part.strip() for part in inner.replace(";", ",").split(",")]
    if len(parts) == 1:
        return _number(parts[0]) if opening + closing == "()" else None
    items = []
    for part in parts:
        item = None if _starts_with_useless_zero(part) else _number(part)
        if item is None:
            return None
        items.append(item)
    return Group(brackets=opening + closing, items=tuple(items))


def _starts_with_useless_zero(part: str) -> bool:
    """True if ``part`` may be the rest of a number cut at its thousands separator."""
    return len(part) > 1 and part[0] == "0" and part[1].isdigit()


def _word(text: str, *, quoted: bool) -> Word | None:
    match = _WORD.fullmatch(text)
    if match is None:
        return None
    word = match[1]
    if len(word) == 1:
        return Word(text=word)
    folded = " ".join(word.casefold().split())
    if folded in ("yes", "no"):
        return Word(text=folded)
    if not quoted and (
        folded in WORDS_OF_MATHEMATICS or len(word) < 3 or not set("aeiouy") & set(folded)
    ):
        return None  # "xyz" may be a product of variables
    return Word(text=_TRUTH.get(folded, folded))


def _same_number(a: Number, b: Number) -> bool:
    if a.name and b.name and a.name != b.name:
        return False
    if a.unit == b.unit or not (a.unit or b.unit):
        return _agree(a, b, a.value, b.value)
    if a.unit and b.unit:
        return False
    if _agree(a, b, a.value, b.value):
        return True  # the unit is left out on one side: 50% for a gold answer of 50
    if a.unit == PERCENT:
        return a.value / 100 == b.value
    return b.unit == PERCENT and a.value == b.value / 100


def _same_group(a: Group, b: Group) -> bool:
    if len(a.items) != len(b.items):
        return False
    kinds = {a.brackets, b.brackets}
    if kinds <= {"", "{}"}:
        pairs = zip(_sorted(a.items), _sorted(b.items), strict=True)
    elif len(kinds) == 1 or kinds in ({"", "()"}, {"", "[]"}):
        pairs = zip(a.items, b.items, strict=True)
    else:
        return False
    return all(_same_number(x, y) for x, y in pairs)


def _sorted(items: tuple[Number, ...]) -> list[Number]:
    return sorted(items, key=lambda item: item.value)


def _agree(a: Number, b: Number, x: Fraction, y: Fraction) -> bool:
    return x == y or _is_rounding(a, b) or _is_rounding(b, a)


def _is_rounding(short: Number, long: Number) -> bool:
    """True if ``short`` is ``long`` correctly rounded, and ``long`` is not written out by hand.

    Such numbers are 1/3, and a computer's output with ten or more digits, six of them decimals, as
    in GSM-Hard's gold answers. ``short`` must have at least six digits and two decimal places.
    There is no relative tolerance: numbers that people write out must be equal.
    """
    if short.places is None or long.places == 0:
        return False
    error = abs(short.value - long.value)
    if long.places is None:
        if not _repeats(long.value.denominator):
            return False
    elif long.digits >= 16 and error * 10**14 <= abs(long.value):
        return True  # the noise of binary floats: 1806106.8000000003
    elif long.digits < 10 or long.places < 6 or long.places <= short.places:
        return False
    return short.places >= 2 and short.digits >= 6 and 2 * error * 10**short.places <= 1


def _repeats(denominator: int) -> bool:
    """True if a reduced fraction with this denominator has no finite decimal expansion."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator != 1
