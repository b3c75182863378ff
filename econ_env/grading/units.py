"""Units behind a number: those that may be left out, and words that change its value."""

from __future__ import annotations

import re

PERCENT = "percent"

_SYNONYMS = {
    PERCENT: "% percent percents pct percentage",
    "dollar": "dollar dollars usd buck bucks",
    "cent": "cent cents ¢",
    "euro": "euro euros eur",
    "pound": "lb lbs pound pounds gbp",
    "rupee": "rupee rupees rs inr",
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
_SHORT_AND_HARMLESS = frozenset("a an at by for h in of on per s sq the to".split())
_MULTIPLIERS = {
    "dozen": 12,
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
# A text with one of these words has another value than its first number.
_CHANGES_THE_VALUE = frozenset(
    "and or plus minus times over divided than squared cubed factorial half halves third thirds "
    "fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths tenth "
    "tenths hundredth hundredths thousandth thousandths dozens hundreds thousands millions "
    "billions trillions log sin cos tan exp mod sqrt root remainder".split()
) | frozenset(_MULTIPLIERS)

_UNIT_TEXT = re.compile(r"[A-Za-z°%¢][A-Za-z°%¢./' -]*(?:\^\s*\{?\s*[23]\s*\}?|[²³])?")
_WORDS = re.compile(r"[A-Za-z]+|[°%¢]")
_MAX_WORDS = 8


def read_unit(text: str, *, glued: bool) -> tuple[int, str] | None:
    """Read the text behind a number: ``(factor, canonical unit)``, or None if it is not a unit.

    The factor is 1, or that of a word such as "million". The unit is empty if it is unknown, as in
    "red apples": it then does not affect the value. With ``glued`` (no space in front) only known
    units count, since ``5x`` and ``6abc`` are products.
    """
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


def _may_belong_to_a_unit(word: str) -> bool:
    if word in _CHANGES_THE_VALUE:
        return False
    if word in _CANONICAL or word in _SHORT_AND_HARMLESS:
        return True
    return len(word) >= 3 and not set("aeiou").isdisjoint(word)
