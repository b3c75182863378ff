"""Wrong answers that lie close to right ones, as tests of a grader."""

from __future__ import annotations

import re
from fractions import Fraction

from econ_env.grading.choices import read_choice
from econ_env.grading.plain import Number, Word, parse_plain

_DIGITS = re.compile(r"\d+", re.ASCII)


def perturbed(answer: str) -> str:
    """A different value in the spelling of ``answer``.

    A number grows by one; yes becomes no and no becomes yes; a letter becomes the next one, also in
    front of the text of a choice; other words get a "not" in front. In anything else, such as a
    tuple or a formula, the first number grows by one; without any number, " + 1" is appended.

    Args:
        answer: an answer in the spelling of :func:`~econ_env.grading.latex.clean`, not empty.
    """
    value = parse_plain(answer)
    if isinstance(value, Number):
        return _one_more(value)
    choice = read_choice(answer)
    if choice is not None and choice.text:
        return f"{_another_word(choice.letter)}. {choice.text}"
    if isinstance(value, Word) and _DIGITS.search(answer) is None:
        return _another_word(value.text)
    number = _DIGITS.search(answer)
    if number is None:
        return f"{answer} + 1"
    return f"{answer[: number.start()]}{int(number[0]) + 1}{answer[number.end() :]}"


def _one_more(number: Number) -> str:
    """The number plus one; a fraction stays a fraction, a decimal keeps its places."""
    value = number.value + 1
    if number.places is None:
        return f"{value.numerator}/{value.denominator}"
    return _decimal(value, number.places)


def _decimal(value: Fraction, places: int) -> str:
    digits = str(abs(round(value * 10**places))).zfill(places + 1)
    sign = "-" if value < 0 else ""
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :]
    return f"{sign}{whole}.{decimals}" if decimals else sign + whole


def _another_word(word: str) -> str:
    if word in ("yes", "no"):
        return "no" if word == "yes" else "yes"
    if len(word) > 1:
        return f"not {word}"
    return "A" if word == "Z" else "a" if word == "z" else chr(ord(word) + 1)
