"""Units behind a number: those that may be left out, and words that change its value."""

from __future__ import annotations

import re

PERCENT = "percent"

_SYNONYMS = {
    PERCENT: "% percent percents pct percentage",
    "dollar": "dollar dollars usd buck bucks $",
    "cent": "cent cents ¢",
    "euro": "euro euros eur €",
    "pound": "lb lbs pound pounds gbp £",
    "rupee": "rupee rupees rs inr ₹",
    "yen": "yen jpy ¥ 円 日元",
    "yuan": "yuan rmb cny 元 人民币",
    "won": "won krw ₩",
    "rouble": "rouble roubles ruble rubles rub ₽ руб",
    "franc": "franc francs chf",
    "degree": "degree degrees deg °",
    "millimetre": "mm millimeter millimeters millimetre millimetres",
    "centimetre": "cm centimeter centimeters centimetre centimetres",
    "metre": "meter meters metre metres",
    "kilometre": "km kilometer kilometers kilometre kilometres",
    "inch": "in inch inches",
    "foot": "ft foot feet",
    "yard": "yd yard yards",
    "mile": "mi mile miles",
    "gram": "gram grams",
    "kilogram": "kg kilogram kilograms",
    "ounce": "oz ounce ounces",
    "millilitre": "ml milliliter milliliters millilitre millilitres",
    "litre": "liter liters litre litres",
    "gallon": "gal gallon gallons",
    "second": "sec secs second seconds",
    "minute": "min mins minute minutes",
    "hour": "hr hrs hour hours",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "yr yrs year years",
    "miles per hour": "mph",
}
_CANONICAL = {word: unit for unit, words in _SYNONYMS.items() for word in words.split()}
UNIT_NAMES = sorted(name for name in _CANONICAL if name.isascii() and len(name) > 1)
"""Names of known units of at least two letters."""
CURRENCIES = {
    "$": "dollar",
    "US$": "dollar",
    "USD": "dollar",
    "€": "euro",
    "EUR": "euro",
    "£": "pound",
    "GBP": "pound",
    "¥": "yen",
    "JPY": "yen",
    "₹": "rupee",
    "INR": "rupee",
    "Rs": "rupee",
    "Rs.": "rupee",
    "₩": "won",
    "₽": "rouble",
    "CHF": "franc",
    "RMB": "yuan",
}
"""Unit by the sign or code of a currency in front of a number."""
MONEY = "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True))
"""Pattern of :data:`CURRENCIES`."""
_SHORT_AND_HARMLESS = frozenset("a an at by for h in it of on per s sq the to".split())
_MULTIPLIERS = {
    "dozen": 12,
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "lakh": 10**5,
    "crore": 10**7,
    "百": 10**2,
    "千": 10**3,
    "万": 10**4,
    "百万": 10**6,
    "亿": 10**8,
}
_SHORT_MULTIPLIERS = {"k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}
# A text with one of these words has another value than its first number.
_CHANGES_THE_VALUE = frozenset(
    "and or plus minus times over divided than squared cubed factorial half halves third thirds "
    "fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths tenth "
    "tenths hundredth hundredths thousandth thousandths dozens hundreds thousands millions "
    "billions trillions lakhs crores quadrillion quadrillions quintillion "
    "quintillions log sin cos tan exp mod sqrt root remainder".split()
) | frozenset(_MULTIPLIERS)

_SIGNS = "°%¢$€£¥₹₩₽"
_UNIT_TEXT = re.compile(
    rf"[A-Za-z{_SIGNS}][A-Za-z{_SIGNS}./' -]*(?:\^\s*\{{?\s*[23]\s*\}}?|[²³])?|[\u0400-\u04ff]+\.?"
)
_WORDS = re.compile(rf"[A-Za-z]+|[{_SIGNS}]|[\u0400-\u04ff]+")
_CHINESE = re.compile(r"(百万|[百千万亿])?([\u4e00-\u9fff]{0,4})")
_NO_CHINESE_UNIT = re.compile(
    "[半分余多又负加减乘除和或到至成折倍百千万亿零一二三四五六七八九十两]"
)
_SHORT_MULTIPLIER = re.compile(r"(k|mn?|bn?)(?![A-Za-z])", re.IGNORECASE)
_MAX_WORDS = 8


def read_unit(text: str, *, glued: bool) -> tuple[int, str] | None:
    """Read the text behind a number: ``(factor, canonical unit)``, or None if it is not a unit.

    The factor is 1, or that of a word such as "million". The unit is empty if it is unknown, as in
    "red apples": it then does not affect the value. With ``glued`` (no space in front) only known
    units count, since ``5x`` and ``6abc`` are products.
    """
    if "\u4e00" <= text[0] <= "\u9fff":
        return _read_chinese_unit(text)
    if _UNIT_TEXT.fullmatch(text) is None:
        return None
    words = _WORDS.findall(text.casefold())
    factor = 1
    if words[0] in _MULTIPLIERS and not glued:
        factor = _MULTIPLIERS[words.pop(0)]
        if not words:
            return factor, ""
    if len(words) > _MAX_WORDS or words[0] in "ahs" or (glued and words[0] not in _CANONICAL):
        return None
    if not all(map(_may_belong_to_a_unit, words)):
        return None
    alone = len(words) == 1 and text[-1] not in "23}²³"
    return factor, _CANONICAL.get(words[0], "") if alone else ""


def read_short_multiplier(text: str) -> tuple[int, int]:
    """The factor of the letter in $15k or $2M and its length; 1 and 0 without a letter."""
    match = _SHORT_MULTIPLIER.match(text)
    return (1, 0) if match is None else (_SHORT_MULTIPLIERS[match[1].lower()], match.end())


def _read_chinese_unit(text: str) -> tuple[int, str] | None:
    match = _CHINESE.fullmatch(text)
    if match is None or _NO_CHINESE_UNIT.search(match[2]):
        return None
    return _MULTIPLIERS[match[1]] if match[1] else 1, _CANONICAL.get(match[2], "")


def _may_belong_to_a_unit(word: str) -> bool:
    if word in _CHANGES_THE_VALUE:
        return False
    if word in _CANONICAL or word in _SHORT_AND_HARMLESS:
        return True
    return len(word) >= 3 and not set("aeiou").isdisjoint(word)
