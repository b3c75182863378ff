r"""Find the answer in a response, and the worked steps in front of it.

The first of these that is found counts: the last balanced ``\boxed{...}``, the last ``#### answer``
line, the last phrase such as "the answer is", a response that consists of one value, the last
number. Text inside ``<think>``, closed or not, is ignored. Every step takes time linear in the
length of the response, for any content.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from econ_env.grading.latex import clean, looks_mathematical
from econ_env.grading.plain import Word, parse_plain

_THINK = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
_HASHES = re.compile(r"(?<!#)####(?!#)[ \t*]*([^\n]*)")
_HEADING = re.compile(r"\d+[.):]\s+\S")  # "#### 1. First step" is a heading
_VALUE_START = re.compile(r"[-+−$€£¥₹(\[{\\.]*\s*\d|[-+−$([{]*\\", re.ASCII)
_TRUTH = re.compile(r"(?:yes|no|true|false)\b", re.IGNORECASE)
_PHRASE = re.compile(
    r"\banswer(?: (?:to|for) [^.:\n]{1,40}?)?[\s*_]{0,6}"
    r"(?:\b(?:is|are|equals|would be|should be|will be|must be)\b|[:=])[\s*_:]{0,8}",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(
    r"(?<!\\)(?:[.!?](?=[\s*\"')]|$)(?<!\d!)|[;\n]|,\s+(?=[A-Za-z]{2}))"
    r"|\s(?:because|since|as)\s",
    re.IGNORECASE,
)
_FORMULA = re.compile(r"\$\$?([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_NUMBER = re.compile(
    r"(?:\d{1,9} {1,2}(?=\d{1,9}/\d))?\d[\d,]*(?:/\d{1,99}|(?:\.\d+)?(?:[eE][+-]?\d{1,4}(?!\w))?)"
    r"(?:\s{0,2}\\?%)?|(?<![\d.])\.\d+",
    re.ASCII,
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_LONGEST_VALUE = 300
_LONGEST_BARE_RESPONSE = 200
_MINUS = "-−–"
_MONEY = "$€£¥₹"
_OPENS_AN_ANSWER = " \t\r\n;*$\\(["

Way = Literal["boxed", "hashes", "phrase", "value", "last_number"]
"""Way in which an answer was found, in the order in which they are tried; ``value``: the response
consists of one value."""


class Found(NamedTuple):
    """An answer, as it is written, and the way in which it was found."""

    answer: str
    way: Way


class _Hit(NamedTuple):
    answer: str
    begins: int
    """Position at which the answer is stated; the worked steps end there."""


def extract(response: str) -> str | None:
    """The answer that ``response`` gives, as it is written there; None if it gives none.

    An empty last box means that there is no answer. Linear time in ``len(response)``.
    """
    found = find_answer(response)
    return None if found is None else found.answer


def find_answer(response: str) -> Found | None:
    """The answer that :func:`extract` gives, with the way in which it was found."""
    found = _locate(outside_think(response))
    if found is None or not found[0].answer:
        return None
    return Found(found[0].answer, found[1])


def worked_steps(response: str) -> str:
    """The text of ``response`` before its final answer, think blocks left out.

    The whole text counts as steps if there is no answer, or if the answer is only the last number
    of the text. A response that consists of one value has no steps.
    """
    text = outside_think(response)
    found = _locate(text)
    if found is None or found[1] == "last_number":
        return text.strip()
    return text[: found[0].begins].rstrip(_OPENS_AN_ANSWER).strip()


def boxed_answer(text: str) -> str | None:
    """The content of the last balanced box, "" if it is empty; None without a box."""
    box = _last_box(text)
    return None if box is None else box.answer


def _locate(text: str) -> tuple[_Hit, Way] | None:
    """The answer in a text without think blocks; "" if the last box is empty."""
    if (hit := _last_box(text)) is not None:
        return hit, "boxed"
    if (hit := _after_hashes(text)) is not None:
        return hit, "hashes"
    if (hit := _after_phrase(text)) is not None:
        return hit, "phrase"
    if value := _bare_value(text):
        return _Hit(value, 0), "value"
    if (number := _last_number(text)) is not None:
        return _Hit(number, len(text)), "last_number"
    return None


def outside_think(response: str) -> str:
    """``response`` without its think blocks, an open last one included.

    A closing tag without an opening one ends a block that the chat template had opened.
    """
    if "<" not in response:
        return response
    kept: list[str] = []
    position, inside = 0, False
    for tag in _THINK.finditer(response):
        closes = bool(tag[1])
        if closes and not inside:
            kept.clear()
        elif not closes and not inside:
            kept.append(response[position : tag.start()])
        inside = not closes
        position = tag.end()
    if not inside:
        kept.append(response[position:])
    return "\n".join(kept)


def _last_box(text: str) -> _Hit | None:
    """The balanced box that opens last, with content "" if it is empty; None without a box."""
    if "boxed" not in text and "fbox" not in text:
        return None
    open_braces: list[re.Match[str] | None] = []  # the beginning of a box, None: another brace
    last: tuple[re.Match[str], int] | None = None
    for token in _BOX.finditer(text):
        mark = token[0]
        if mark == "}":
            box = open_braces.pop() if open_braces else None
            if box is not None and (last is None or box.end() > last[0].end()):
                last = (box, token.start())
        elif mark[-1] == "{" and (mark == "{" or len(mark) > 2):
            open_braces.append(None if mark == "{" else token)
    if last is None:
        return None
    return _Hit(clean(text[last[0].end() : last[1]]), last[0].start())


def _after_hashes(text: str) -> _Hit | None:
    """The value behind the last ``####`` that does not open a Markdown heading."""
    if "####" not in text:
        return None
    found, begins = None, 0
    for match in _HASHES.finditer(text):
        line = match[1][:_LONGEST_VALUE]
        if _HEADING.match(line) is None and (_VALUE_START.match(line) or _TRUTH.match(line)):
            found, begins = line, match.start()
    if found is None:
        return None
    truth = _TRUTH.match(found)
    answer = truth[0] if truth else clean(found)
    return _Hit(answer, begins) if answer else None


def _after_phrase(text: str) -> _Hit | None:
    """The value behind the last answer phrase."""
    end = None
    for match in _PHRASE.finditer(text):
        end = match.end()
    if end is None:
        return None
    value = _value_at(text[end : end + _LONGEST_VALUE])
    return _Hit(value, end) if value else None


def _value_at(text: str) -> str | None:
    """The value at the beginning of ``text``, the continuation of an answer phrase."""
    formula = _FORMULA.match(text)
    if formula is not None and looks_mathematical(
        content := clean(formula[formula.lastindex or 0])
    ):
        return content
    truth = _TRUTH.match(text)
    if truth is not None:
        return truth[0]
    end = _SENTENCE_END.search(text)
    sentence = clean(text[: end.start()] if end else text)
    if not sentence:
        return None
    if parse_plain(sentence) is not None or looks_mathematical(sentence):
        return sentence
    numbers = list(_NUMBER.finditer(sentence))
    if numbers:
        begins = sentence[: numbers[0].start()].strip(" $€£¥₹+-−(") == ""
        return _signed_number(sentence, numbers[0] if begins else numbers[-1])
    return sentence if len(sentence.split()) <= 3 else None


def _bare_value(text: str) -> str | None:
    """The whole response, if it is one value or formula and not prose."""
    text = text.strip()
    if not text or len(text) > _LONGEST_BARE_RESPONSE or "\n" in text or "boxed" in text:
        return None
    text = clean(text)
    value = parse_plain(text)
    if value is not None:
        is_prose = isinstance(value, Word) and not (
            len(value.text) == 1 or _TRUTH.fullmatch(value.text) or "\\" in text
        )
        return None if is_prose else text
    if text.count("{") != text.count("}"):
        return None
    is_computation = text.count("=") > 1 or ("=" in text and not re.search(r"[A-Za-z]", text))
    if is_computation or re.search(r"\d\s+\d", text) or not looks_mathematical(text):
        return None
    return text


def _last_number(text: str) -> str | None:
    last = None
    for match in _NUMBER.finditer(text):
        last = match
    return None if last is None else _signed_number(text, last)


def _signed_number(text: str, match: re.Match[str]) -> str:
    """The number of ``match`` with a minus in front of it, unless that is an operator."""
    number = match[0]
    digits = number.rstrip("\\% ")
    if "," in digits:
        whole, point, rest = digits.partition(".")
        if _THOUSANDS.fullmatch(whole.rstrip(",")) is None:
            whole = whole.rstrip(",").rpartition(",")[2]  # "1,2,3" is a list: its last item
        digits = whole.rstrip(",") + point + rest
    percent = "%" if number.endswith("%") else ""
    return ("-" if _is_negative(text, match.start()) else "") + digits + percent


def _is_negative(text: str, start: int) -> bool:
    before = text[max(0, start - 12) : start]
    unspaced = before.rstrip(_MONEY + "\\")
    spaced = unspaced.rstrip(" " + _MONEY + "\\")
    if not spaced or spaced[-1] not in _MINUS:
        return False
    previous = spaced[:-1]
    if spaced == unspaced:  # "-5": an operator only directly behind a value, as in "8-5"
        return not previous or not (previous[-1].isalnum() or previous[-1] in ")]}%")
    return previous.rstrip(" ")[-1:] in ("=", ":", "(", "<", ">") or previous.endswith("is ")
