"""One spelling for the same answer: LaTeX spacing, signs, delimiters and Markdown removed."""

from __future__ import annotations

import re

from econ_env.grading.characters import latex_signs, plain_characters
from econ_env.grading.units import UNIT_NAMES

WORDS_OF_MATHEMATICS = frozenset(
    "pi sqrt frac sin cos tan cot sec csc arcsin arccos arctan log ln exp min max gcd lcm mod abs "
    "inf infinity theta alpha beta gamma delta det circ cdot times pm infty cup cap".split()
)
"""Words that stand for a symbol or a function, not for prose."""

_NEEDS_CLEANING = re.compile(r"[^0-9A-Za-z.,/ +()=-]|\s{2}|\.$")
_REPLACEMENTS = re.compile(
    r"(?P<newline>\\\\)"  # the end of a matrix row, read first so that "\\\\ " is not a space
    r"|(?P<drop>\\(?:left|right|bigl?|bigr|Bigl?|Bigr|displaystyle)(?![A-Za-z])|\\!\s*|\\[,;:>]"
    r"|\$\$|\\[()\[\]]|\\h?phantom\s*\{[^{}]*\}|(?<=\d)\{,\}(?=\d{3}(?!\d)|\d{2}\{,\}))"
    r"|(?P<point>(?<=\d)\{,\}(?=\d))"
    r"|(?P<space>\\\s|~|\\(?:q?quad|enspace|(?:thin|med|thick)space)(?![A-Za-z])"
    r"|\\hspace\*?\s*\{[^{}]*\}|\s+)"
    r"|(?P<frac>\\[dtc]frac(?![A-Za-z]))|(?P<percent>\\%)"
    r"|(?P<dollar>\\(?:\$|textdollar(?![A-Za-z])))|(?P<euro>\\(?:text)?euro(?![A-Za-z]))"
    r"|(?P<pounds>\\(?:pounds|textsterling)(?![A-Za-z]))"
    r"|(?P<empty>\\varnothing(?![A-Za-z])|^\\\{\s*\\\}$)"
    r"|(?P<degree>\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|\\degree(?![A-Za-z]))"
)
_WRITTEN_AS = {
    "newline": r"\\",
    "drop": "",
    "space": " ",
    "frac": r"\frac",
    "percent": "%",
    "dollar": "$",
    "point": ".",
    "euro": "€",
    "pounds": "£",
    "empty": r"\emptyset",
    "degree": "°",
}
_TEXT = (
    r"\\(?:text(?:normal|bf|it|rm|sf|tt|sc|up|sl)?|math(?:rm|bf|it|sf|tt|normal)|[mh]box|emph"
    r"|operatorname|boldsymbol|bm|pmb|underline)"
)
"""Commands that set their argument as text or in another font."""
_UNIT_AT_THE_END = re.compile(rf"(?<=\S)\s*{_TEXT}\s*\{{[^{{}}]*\}}$")
_NAMED_UNIT_AT_THE_END = re.compile(
    rf"(?<=[\d}})])\s+(?:(?:square|cubic|sq\.?)\s)?(?:{'|'.join(UNIT_NAMES)})$"
)
_ROOT_IN_PARENTHESES = re.compile(r"\\?sqrt\s*\(([^()]*)\)")
_BARE_NAME = re.compile(r"(?<![A-Za-z\\])(?:pi|sqrt|theta|infty|log|ln|sin|cos|tan)(?![A-Za-z])")
_COMMAND = re.compile(r"\\(?:begin|end)\s*\{[A-Za-z*]*\}|\\[A-Za-z]+")
_QUOTING = re.compile(rf"{_TEXT}\s*\{{([^{{}}]*)\}}")
_OTHER_LETTERS = re.compile(r"[^\W\d_a-zA-Z]")


def clean(text: str) -> str:
    """``text`` in one spelling with the same value. Takes linear time."""
    text = text.strip()
    if _NEEDS_CLEANING.search(text) is None:
        return text
    text = latex_signs(plain_characters(text)).strip('*`_ "“”')
    if text.endswith(".") and not text.endswith(".."):
        text = text[:-1].rstrip('*`_ "“”')
    if len(text) > 2 and text[0] == "$" and text[-1] == "$":
        text = text[1:-1]
    return _REPLACEMENTS.sub(lambda match: _WRITTEN_AS[str(match.lastgroup)], text).strip()


def unwrap_text(text: str) -> str:
    r"""``text`` with the contents of ``\text{...}`` and similar commands as ordinary words."""
    if "\\" not in text:
        return text
    return " ".join(_QUOTING.sub(r" \1 ", text).split())


def to_latex(text: str) -> str:
    """Cleaned ``text`` as LaTeX for math-verify, with plain spellings of operators replaced.

    A unit in words at the end and dollar signs, which would end the formula, are dropped.
    """
    text = (
        _NAMED_UNIT_AT_THE_END.sub("", _UNIT_AT_THE_END.sub("", text))
        .replace("$", "")
        .replace("%", r"\%")
    )
    text = _ROOT_IN_PARENTHESES.sub(r"\\sqrt{\1}", text)
    text = _BARE_NAME.sub(r"\\\g<0>", text)
    return text.replace("**", "^").replace("°", r"^{\circ}").strip()


def looks_mathematical(text: str) -> bool:
    """True if ``text`` is a formula rather than prose."""
    rest = _COMMAND.sub(" ", _QUOTING.sub(" 0 ", text))
    if _OTHER_LETTERS.search(rest):
        return False
    words = [word for word in re.findall(r"[A-Za-z]{2,}", rest) if word not in WORDS_OF_MATHEMATICS]
    if any(len(word) > 2 for word in words):
        return False
    if words and re.search(r"[+*/^=\\-]", text) is None:
        return False
    return re.search(r"[0-9A-Za-z]", text) is not None
