"""One spelling for characters that look or mean the same, before anything else reads a text."""

from __future__ import annotations

import re
import unicodedata

_THIN_SPACES = "\u00a0\u2005-\u200a\u202f"
_GROUPED = re.compile(rf"(?<![\d.,])\d{{1,3}}(?:[{_THIN_SPACES}'’]\d{{3}})+(?!\d)", re.ASCII)
_SEPARATOR = re.compile(rf"[{_THIN_SPACES}'’]")
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ"
_SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉₊₋ₙ"
_RAISED = str.maketrans(_SUPERSCRIPTS, "0123456789+-()ni")
_LOWERED = str.maketrans(_SUBSCRIPTS, "0123456789+-n")
_RUN = re.compile(
    rf"(?P<raised>[{_SUPERSCRIPTS}]+)|(?P<lowered>[{_SUBSCRIPTS}]+)"
    r"|(?P<root>[√∛∜])\s?(?:\((?P<inner>[^()]*)\)|(?P<bare>\d[\d.]*|[A-Za-z](?![A-Za-z])))?"
)
_ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]"}
_ALIKE = {
    "。": ".",
    "、": ",",
    "٫": ".",
    "٬": ",",
    "\u3000": " ",
    "‐": "-",
    "‑": "-",
    "‒": "-",
}
_SIGNS = {
    "−": "-",
    "–": "-",
    "×": r"\times ",
    "✕": r"\times ",
    "⋅": r"\cdot ",
    "·": r"\cdot ",
    "∙": r"\cdot ",
    "÷": r"\div ",
    "∕": "/",
    "⁄": "/",
    "±": r"\pm ",
    "∓": r"\mp ",
    "≤": r"\le ",
    "⩽": r"\le ",
    "≥": r"\ge ",
    "⩾": r"\ge ",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "∞": r"\infty ",
    "∅": r"\emptyset ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∈": r"\in ",
    "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}",
    "º": "°",
    "α": r"\alpha ",
    "β": r"\beta ",
    "γ": r"\gamma ",
    "δ": r"\delta ",
    "θ": r"\theta ",
    "λ": r"\lambda ",
    "π": r"\pi ",
    "φ": r"\phi ",
    "ω": r"\omega ",
}


class _Spelling(dict[int, str]):
    """Replacements for :meth:`str.translate`, found when a character is first met."""

    def __missing__(self, code: int) -> str:
        spelt = self[code] = _spelt(chr(code))
        return spelt


def _spelt(character: str) -> str:
    if character.isascii():
        return character
    if character in _ALIKE:
        return _ALIKE[character]
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Cf" or "\ufe00" <= character <= "\ufe0f":
        return ""  # zero-width spaces and joiners, marks of direction, variation selectors
    if "！" <= character <= "～" or "\U0001d400" <= character <= "\U0001d7ff":
        return unicodedata.normalize("NFKC", character)
    return character


_SPELLING = _Spelling()
_FRACTIONS = {
    chr(code): r"\frac{{{}}}{{{}}}".format(*unicodedata.normalize("NFKC", chr(code)).split("⁄"))
    for code in (0xBC, 0xBD, 0xBE, *range(0x2150, 0x215F), 0x2189)
}
VULGAR_FRACTIONS = "".join(_FRACTIONS)
"""The fractions that are one character, such as ½."""
_IN_LATEX = str.maketrans(_SIGNS | _FRACTIONS)


def plain_characters(text: str) -> str:
    """``text`` with one spelling for what reads the same, in linear time.

    Full-width forms and the digits of all scripts become ASCII, invisible characters are dropped,
    and so are the apostrophes and thin spaces that group the digits of a number.
    """
    if text.isascii():
        return _ungrouped(text) if "'" in text else text
    return _ungrouped(text.translate(_SPELLING))


def latex_signs(text: str) -> str:
    """``text`` with LaTeX for the mathematical signs of Unicode, such as ½, √, ² and ≤."""
    if text.isascii():
        return text
    return _RUN.sub(_run_in_latex, text).translate(_IN_LATEX)


def _ungrouped(text: str) -> str:
    return _GROUPED.sub(lambda match: _SEPARATOR.sub("", match[0]), text)


def _run_in_latex(match: re.Match[str]) -> str:
    if match["raised"]:
        return f"^{{{match['raised'].translate(_RAISED)}}}"
    if match["lowered"]:
        return f"_{{{match['lowered'].translate(_LOWERED)}}}"
    radicand = match["inner"] or match["bare"]
    return f"{_ROOTS[match['root']]}{{{radicand}}}" if radicand else f"{_ROOTS[match['root']]} "
