r"""Find the answer in a response.

The order, first hit wins: the last balanced ``\boxed{...}``, the last ``#### answer`` line, the
last phrase such as "the answer is", a response that is nothing but a value, the last number.
Nothing inside ``<think>`` counts, closed or not. Every step takes time linear in the length of
the response, whatever it holds.
"""

from __future__ import annotations

import re

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


def extract(response: str) -> str | None:
    """The answer that ``response`` gives, as it is written there; None where it gives none.

    An empty last box means that there is no answer. Linear time in ``len(response)``.
    """
    text = _outside_think(response)
    box = _last_box(text)
    if box is not None:
        return clean(box) or None
    return _after_hashes(text) or _after_phrase(text) or _bare_value(text) or _last_number(text)


def _outside_think(response: str) -> str:
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


def _last_box(text: str) -> str | None:
    """Content of the box that opens last among the balanced ones."""
    if "boxed" not in text and "fbox" not in text:
        return None
    open_braces: list[int] = []  # where a box's content starts, -1 for another brace
    last: tuple[int, int] | None = None
    for token in _BOX.finditer(text):
        mark = token[0]
        if mark == "}":
            start = open_braces.pop() if open_braces else -1
            if start >= 0 and (last is None or start > last[0]):
                last = (start, token.start())
        elif mark[-1] == "{" and (mark == "{" or len(mark) > 2):
            open_braces.append(-1 if mark == "{" else token.end())
    return None if last is None else text[last[0] : last[1]]


def _after_hashes(text: str) -> str | None:
    """What stands behind the last ``####`` that does not open a Markdown heading."""
    if "####" not in text:
        return None
    found = None
    for match in _HASHES.finditer(text):
        line = match[1][:_LONGEST_VALUE]
        if _HEADING.match(line) is None and (_VALUE_START.match(line) or _TRUTH.match(line)):
            found = line
    if found is None:
        return None
    truth = _TRUTH.match(found)
    return truth[0] if truth else clean(found) or None


def _after_phrase(text: str) -> str | None:
    """The value behind the last answer phrase."""
    end = None
    for match in _PHRASE.finditer(text):
        end = match.end()
    return None if end is None else _value_at(text[end : end + _LONGEST_VALUE])


def _value_at(text: str) -> str | None:
    """The value with which ``text``, the continuation of an answer phrase, begins."""
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
    """The whole response, if it is one value or formula and no prose."""
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
    """The number of ``match`` with the sign in front of it, if that is a sign and no operator."""
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
