r"""Find the answer in a response, and the worked steps in front of it.

The first of these that is found counts: an ``<answer>`` tag, the last balanced ``\boxed{...}`` (or
several that "and" joins), the ``answer`` of a JSON object, the first ``#### answer`` line, the last
phrase such as "the answer is", a response that consists of one value or begins with yes or no, the
last number. Thoughts, closed or not, and turns that the model invented are ignored
(:mod:`.turns`). Every step takes time linear in the length of the response, for any content.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from econ_env.grading.boxes import find_box, first_box_end
from econ_env.grading.characters import VULGAR_FRACTIONS, plain_characters
from econ_env.grading.choices import read_choice
from econ_env.grading.latex import clean, looks_mathematical, unwrap_text
from econ_env.grading.moments import moment_at_the_beginning
from econ_env.grading.plain import Word, parse_plain
from econ_env.grading.turns import outside_think, own_turn

__all__ = [
    "Found",
    "Way",
    "boxed_answer",
    "extract",
    "find_answer",
    "hashed_gold",
    "outside_think",
    "worked_steps",
]

_TAG = re.compile(r"<(/?)(?:final[_ ]?)?answer>", re.IGNORECASE)
_JSON = re.compile(
    r"[\"'“”](?:(?P<answer>(?:final[_ ]?)?answer)|value|result)[\"'“”]\s{0,8}[:=]\s{0,8}"
    r"(?:\"(?P<text>(?:[^\"\\]|\\.){0,300})\"|'(?P<single>[^'\n]{0,300})'"
    r"|(?P<bare>-?\.?\d[^\s,}\]]{0,60}|true|false|null|none)(?![^\s,}\]])"
    r"|\[(?P<list>[^\[\]\n]{0,300})\])",
    re.IGNORECASE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\([\\\"'/])")
_HASHES = re.compile(r"(?<!#)#{4,6}(?!#)[ \t*:：]{0,8}(?:\n[ \t]{0,8}(?=[-+$\d\\]))?([^\n]*)")
_HASH_LABEL = re.compile(r"(?:the )?(?:final )?answer[*_ \t]{0,4}(?:is\b|[:=])?[*_: \t]{0,4}", re.I)
_HEADING = re.compile(r"\d+[.):]\s+\S")  # "#### 1. First step" is a heading
_HEADING_WORD = re.compile(
    r"(?:explanation|reasoning|solution|step|steps|answer|final|conclusion|note|summary|check"
    r"|verification|calculation|analysis|result)\b",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"\b(?:wait|actually|correct(?:ion|ed)|mistake|sorry|re-?check|should be|instead|oops|error"
    r"|but|however)\b",
    re.IGNORECASE,
)
_ONLY_A_VALUE = re.compile(r"[\s$€£¥₹*()+\-−–.,/%\d\\{}]*(?:\\[dtc]?frac[\s\d{}]*)?\.?", re.ASCII)
_VALUE_START = re.compile(
    rf"[-+−–$€£¥₹(\[{{\\.*]{{0,9}}\s{{0,3}}[\d{VULGAR_FRACTIONS}√]|[-+−$([{{]{{0,9}}\\", re.ASCII
)
_TRUTH = re.compile(r"(?:yes|no|true|false)\b", re.IGNORECASE)
_FIRST_WORD_TRUTH = re.compile(
    r"[\s*_\"'“]{0,8}(yes|no|true|false)\b[*_\"'”]{0,4}(?:[,;:!]|\.(?!\s?\d)|\s[-–—]\s|\s{0,4}\n|$)",
    re.IGNORECASE,
)
_ENDS_IN_A_RESULT = re.compile(
    r"(?:\b(?:is|are|equals|makes|gives)|=)\s{0,3}[$€£¥₹]?[-−–]?[$€£¥₹]?\d[\d.,/]{0,30}\W{0,5}$"
)
_PHRASE = re.compile(
    r"(?:\banswer(?: (?:to|for) [^.:\n]{1,40}?)?[\s*_]{0,6}"
    r"(?:\b(?:is|are|equals|would be|should be|will be|must be|comes (?:out )?to)\b"
    r"|[-=]>|[:=→–—])"
    r"|\bcorrect (?:option|choice|letter)[\s*_]{0,6}(?:\bis\b|[:=])"
    r"|(?:答案|答え|正解|정답)[\s*_】\]]{0,4}(?:应该|應該|应|應|就)?(?:是|为|為|は|은|[:=】\]])"
    r"|^[#*_>\s]{0,8}(?:答|답|解)[*_]{0,3}[:=]"
    r"|\b(?:die antwort|la réponse|la respuesta|la risposta|a resposta|het antwoord)"
    r"(?: \w{1,12})?? (?:ist|lautet|est|es|è|é|is)\b"
    r"|\b(?:antwort|réponse|respuesta|risposta|resposta|antwoord|ответ)[*_ ]{0,4}[:=]"
    r"|^[#*_ \t>]{0,8}(?:the |my )?(?:final )?answer[*_ \t]{0,8}\n"
    r"|(?:故选|应选|選|选)[择擇]?[:\s]{0,3}(?=\(?(?-i:[A-J])(?![A-Za-z]))"
    r")[\s*_:\"'“「『`]{0,8}"
    r"(?:(?:therefore|thus|hence|simply|clearly|then|just)\b,?[\s*_:]{1,4})?",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(
    r"(?<!\\)(?:[.!?](?=[\s*\"')」』”]|[\u3040-\u9fff]|$)(?<!\d!)(?-i:(?<!\bRs\.))|[;\n]"
    r"|,\s+(?=[A-Za-z]{2})|,\s?(?=[\u3040-\u9fff]))"
    r"|\s(?:because|since|as)\s|(?=(?:因为|因為))",
    re.IGNORECASE,
)
_FORMULA = re.compile(r"\$\$?([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_UNCLOSED_BOX = re.compile(r"\$?\\(?:boxed|fbox)\s{0,3}\{")
_NUMBER = re.compile(
    # Digits inside a word or an identifier (H2O, AZYUK2A, COVID-19, v2.0) are no number.
    r"(?:(?<![A-Za-z])|(?<=\d[xX]))(?<![A-Za-z]_)(?<![A-Z]-)(?<![A-Za-z]\d-)(?<!\d\.)"
    r"(?:(?:\d{1,9}\s?)?\\[dtc]?frac\{\d{1,30}\}\{\d{1,30}\}"
    rf"|(?:\d{{1,9}}\s?)?[{VULGAR_FRACTIONS}]"
    r"|[1-9]\d{0,2}(?:\.\d{3}){1,9},\d{1,9}(?![.,]?\d)"
    r"|[1-9]\d{0,2}(?:\.\d{3}){2,9}(?![.,]?\d)"
    r"|(?:\d{1,9} {1,2}(?=\d{1,9}/\d))?\d[\d,]*(?:/\d{1,99}|(?:\.\d+)?(?:[eE][+-]?\d{1,4}(?!\w))?)"
    r")(?:\s{0,2}\\?%|\s?π|√\d{1,9})?(?![A-Za-z]{1,9}\d)|(?<![\d.])\.\d+",
    re.ASCII,
)
_NO_ANSWER_BEFORE = re.compile(
    r"(?:\b(?:step|case|part|method|equation|figure|table|example|question|problem|option)\s{0,2}#?"
    r"|\b(?:confidence|probability|certainty|score)\b\W{0,8}(?:(?:is|of|level)\W{0,4})?"
    r"|^[\s*_#]{0,8})$",
    re.IGNORECASE,
)
_LIST_MARK = re.compile(r"[.)]\s+\S")
_HEDGE = re.compile(r"(?:exactly|about|approximately|roughly|around)\s+(?=[-\d$€£.])", re.I)
_COMMA_LIST = re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}")
_NO_WORD = frozenset("not unclear unknown found given below as the a an obvious in that".split())
"""Words with which no short answer begins."""
_LONGEST_VALUE = 300
_LONGEST_BARE_RESPONSE = 200
_MOST_PHRASES = 32
_MINUS = "-−–"
_MONEY = "$€£¥₹"
_SIGN_WORD = re.compile(r"\b(?:negative|(?P<operator>minus))$", re.I)
_BEFORE_A_SIGN = re.compile(
    r"(?:^|[=:(<>.,;\n]|\b(?:is|be|are|was|equals?|gives?|get|to|of))\s*$", re.I
)
"""Before a "minus" that belongs to the number behind it: "10 minus 5" has an operator."""
_OPENS_AN_ANSWER = " \t\r\n;*$\\(["

Way = Literal["tag", "boxed", "json", "hashes", "phrase", "value", "last_number"]
"""Way in which an answer was found, in the order in which they are tried; ``value``: the response
consists of one value, or begins with yes or no."""


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
    found = _locate(_own_text(response))
    if found is None or not found[0].answer:
        return None
    return Found(found[0].answer, found[1])


def worked_steps(response: str) -> str:
    """The text of ``response`` before its final answer, think blocks left out.

    The whole text counts as steps if there is no answer, or if the answer is only the last number
    of the text. A response that consists of one value has no steps.
    """
    text = _own_text(response)
    found = _locate(text)
    if found is None or found[1] == "last_number":
        return text.strip()
    return text[: found[0].begins].rstrip(_OPENS_AN_ANSWER).strip()


def boxed_answer(text: str) -> str | None:
    """The answer in the last balanced box, "" if it is empty; None without a box."""
    box = find_box(text)
    return None if box is None else box.answer


def hashed_gold(gold: str) -> str:
    """The answer behind the last ``####`` of a gold text that holds one; "" if none does.

    The answer ends with its line. Words are an answer if nothing follows them, else a heading.
    """
    gold = gold.rstrip()
    for match in reversed(list(_HASHES.finditer(gold))):
        line = _unlabelled(match[1])
        rest = gold[match.end() :].strip()
        if not line.strip() and match[1].strip() and "\n" not in rest:
            return clean(rest)  # a heading "Answer", and the answer below it
        is_value = _HEADING.match(line) is None and (_VALUE_START.match(line) or _TRUTH.match(line))
        if is_value or (not rest and _HEADING_WORD.match(line) is None):
            answer = clean(line)
            if answer:
                return answer
    return ""


def _own_text(response: str) -> str:
    """The response of a reply, without thoughts and invented turns, in plain characters."""
    text = plain_characters(outside_think(response))
    return own_turn(text, statement_end=_first_statement_end, is_value=_is_bare_value)


def _locate(text: str) -> tuple[_Hit, Way] | None:
    """The answer in a response; "" if it says that there is none, as an empty last box does."""
    if (hit := _in_a_tag(text)) is not None:
        return hit, "tag"
    if (box := find_box(text, even_open=True)) is not None:
        letter = _letter_behind(text, box.ends) if read_choice(box.answer) is None else None
        if letter is not None:
            return letter, "phrase"
        return _Hit(box.answer, box.begins), "boxed"
    if (hit := _in_json(text)) is not None:
        return hit, "json"
    if (hit := _after_hashes(text)) is not None:
        return hit, "hashes"
    if (hit := _after_phrase(text)) is not None:
        return hit, "phrase"
    if value := _bare_value(text) or _first_word_truth(text):
        return _Hit(value, 0), "value"
    if (number := _last_number(text)) is not None:
        return _Hit(number, len(text)), "last_number"
    return None


def _first_statement_end(text: str) -> int | None:
    """The end of the first answer that is stated, not only computed; None without one."""
    ends = [first_box_end(text)]
    tag = _TAG.search(text)
    if tag is not None:
        ends.append(tag.end())
    json = _JSON.search(text)
    if json is not None:
        ends.append(json.end())
    ends.extend(match.end() for match in _hash_lines(text)[:1])
    for match, _ in zip(_PHRASE.finditer(text), range(_MOST_PHRASES), strict=False):
        value = _value_at(text[match.end() : match.end() + _LONGEST_VALUE])
        if value:
            ends.append(match.end())
            break
    return min((end for end in ends if end is not None), default=None)


def _in_a_tag(text: str) -> _Hit | None:
    """The content of the last ``<answer>`` tag that has any; it need not be closed."""
    if "<" not in text:
        return None
    found: _Hit | None = None
    opened: re.Match[str] | None = None
    for tag in _TAG.finditer(text):
        if not tag[1]:
            opened = tag
        elif opened is not None:
            found = _tagged(text, opened, tag.start()) or found
            opened = None
    if opened is not None and found is None:
        found = _tagged(text, opened, len(text))
    return found


def _tagged(text: str, opened: re.Match[str], end: int) -> _Hit | None:
    value = _value_in(text[opened.end() : min(end, opened.end() + 20 * _LONGEST_VALUE)])
    return _Hit(value, opened.start()) if value else None


def _value_in(content: str) -> str | None:
    """The answer in a place that is made for it: a tag, or an entry of a JSON object."""
    box = find_box(content)
    if box is not None:
        return box.answer or None
    lines = [line for line in content.splitlines() if line.strip()]
    if not lines:
        return None
    line = lines[-1][:_LONGEST_VALUE]
    hit = _after_phrase(line)
    if hit is not None:
        return hit.answer
    whole = clean(line)
    if parse_plain(whole) is not None or looks_mathematical(whole) or len(whole.split()) <= 6:
        return whole or None
    return _value_at(line) or _last_number(line) or whole


def _in_json(text: str) -> _Hit | None:
    """The last answer in a JSON object, or else value; "" if only null is given."""
    found: _Hit | None = None
    is_answer = False
    for entry in _JSON.finditer(text):
        named = entry["answer"] is not None
        if is_answer and not named:
            continue
        value = _json_value(entry)
        if value or found is None or (named and not is_answer):
            begins = text.rfind("{", max(0, entry.start() - 4 * _LONGEST_VALUE), entry.start())
            found = _Hit(value, begins if begins >= 0 else entry.start())
            is_answer = named
    return found


def _json_value(entry: re.Match[str]) -> str:
    written = entry["text"] or entry["single"]
    if written:
        return _value_in(_ESCAPED.sub(r"\1", written)) or ""
    if entry["list"]:
        return clean(entry["list"].replace('"', "").replace("'", ""))
    bare = entry["bare"] or ""
    return "" if bare.lower() in ("null", "none") else bare


def _hash_lines(text: str) -> list[re.Match[str]]:
    """The ``####`` lines that hold a value and are no Markdown heading."""
    return [match for match in _HASHES.finditer(text) if _is_hash_answer(match, len(text))]


def _is_hash_answer(match: re.Match[str], length: int) -> bool:
    line = _unlabelled(match[1][:_LONGEST_VALUE])
    if not line.strip():
        return False
    if _HEADING.match(line) is None and (_VALUE_START.match(line) or _TRUTH.match(line)):
        return True
    choice = read_choice(clean(line))
    if choice is not None and not choice.text:
        return True
    # Words are a heading, unless nothing follows them.
    is_last = match.end() >= length
    return is_last and len(line.split()) <= 4 and _HEADING_WORD.match(line) is None


def _unlabelled(line: str) -> str:
    label = _HASH_LABEL.match(line)
    return line[label.end() :] if label else line


def _after_hashes(text: str) -> _Hit | None:
    """The value behind the first ``####``; what follows is invented, unless it is a correction.

    A line with more than a value ("#### 3 eggs eaten") may be a heading: then the last one counts.
    """
    if "####" not in text:
        return None
    lines = _hash_lines(text.rstrip())
    if not lines:
        return None
    values = [line for line in lines if _ONLY_A_VALUE.fullmatch(line[1][:_LONGEST_VALUE])]
    found = values[0] if values else lines[-1]
    for line in values[1:]:
        if _CORRECTION.search(text, found.end(), line.start()) is None:
            break
        found = line
    line_text = _unlabelled(found[1][:_LONGEST_VALUE])
    truth = _TRUTH.match(line_text)
    answer = truth[0] if truth else clean(line_text)
    return _Hit(answer, found.start()) if answer else None


def _after_phrase(text: str) -> _Hit | None:
    """The value behind the last answer phrase."""
    end = None
    for match in _PHRASE.finditer(text):
        end = match.end()
    if end is None:
        return None
    value = _value_at(text[end : end + _LONGEST_VALUE])
    return _Hit(value, end) if value else None


def _letter_behind(text: str, start: int) -> _Hit | None:
    """The choice that is stated behind a box with something else, as in ``**Answer: D**``."""
    if start == len(text):
        return None
    hit = _after_phrase(text[start:])
    if hit is None or read_choice(hit.answer) is None:
        return None
    return _Hit(hit.answer, start + hit.begins)


def _value_at(text: str) -> str | None:
    """The value at the beginning of ``text``, the continuation of an answer phrase."""
    box = _UNCLOSED_BOX.match(text)
    if box is not None:
        text = text[box.end() :]
    formula = _FORMULA.match(text)
    if formula is not None and looks_mathematical(
        content := clean(formula[formula.lastindex or 0])
    ):
        return content
    truth = _TRUTH.match(text)
    if truth is not None:
        return truth[0]
    moment = moment_at_the_beginning(text)
    if moment is not None:
        return moment
    choice = read_choice(clean(text.partition("\n")[0]))
    if choice is not None:
        return f"{choice.letter}. {choice.text}" if choice.text else choice.letter
    end = _SENTENCE_END.search(text)
    sentence = clean(text[: end.start()] if end else text).strip("'‘’「」『』")
    if not sentence:
        return None
    choice = read_choice(unwrap_text(sentence.replace("**", "")))
    if choice is not None:
        return choice.letter
    if parse_plain(sentence) is not None or looks_mathematical(sentence):
        return sentence
    numbers = list(_NUMBER.finditer(sentence))
    if numbers:
        begins = sentence[: numbers[0].start()].strip(" $€£¥₹+-−(*") == ""
        return _signed_number(sentence, numbers[0] if begins else numbers[-1])
    words = sentence.split()
    return sentence if len(words) <= 3 and words[0].lower() not in _NO_WORD else None


def _bare_value(text: str) -> str | None:
    """The whole response, if it is one value or formula and not prose."""
    text = text.strip()
    if not text or len(text) > _LONGEST_BARE_RESPONSE or "\n" in text or "boxed" in text:
        return None
    text = _HEDGE.sub("", clean(text))
    value = parse_plain(text)
    if value is not None:
        is_prose = isinstance(value, Word) and not (
            len(value.text) == 1
            or _TRUTH.fullmatch(value.text)
            or "\\" in text
            or any(map(str.isdigit, text))
        )
        return None if is_prose else text
    if read_choice(text) is not None:
        return text
    if text.count("{") != text.count("}"):
        return None
    is_computation = text.count("=") > 1 or ("=" in text and not re.search(r"[A-Za-z]", text))
    if is_computation or re.search(r"\d\s+\d", text) or not looks_mathematical(text):
        return None
    return text


def _is_bare_value(text: str) -> bool:
    return _bare_value(text) is not None


def _first_word_truth(text: str) -> str | None:
    """The yes or no with which a response begins, unless it ends in a result."""
    truth = _FIRST_WORD_TRUTH.match(text)
    if truth is None or _ENDS_IN_A_RESULT.search(text[-60:]):
        return None
    return truth[1]


def _last_number(text: str) -> str | None:
    last = None
    for match in _NUMBER.finditer(text):
        if not _is_no_answer(text, match):
            last = match
    return None if last is None else _signed_number(text, last)


def _is_no_answer(text: str, match: re.Match[str]) -> bool:
    """True for the number of a step or of an item of a list, and for a confidence."""
    before = text[max(0, match.start() - 24) : match.start()]
    line = before.rpartition("\n")
    begins_line = bool(line[1]) or match.start() <= 24
    mark = _NO_ANSWER_BEFORE.search(line[2])
    if mark is None:
        return False
    if mark[0].strip(" *_#\t"):
        return True
    return begins_line and _LIST_MARK.match(text, match.end()) is not None


def _signed_number(text: str, match: re.Match[str]) -> str:
    """The number of ``match`` with a minus in front of it, unless that is an operator."""
    number = match[0]
    digits = number.rstrip("\\% ")
    if "," in digits and "." not in digits.partition(",")[0]:
        whole, point, rest = digits.partition(".")
        if _COMMA_LIST.fullmatch(whole.rstrip(",")) is None:
            whole = whole.rstrip(",").rpartition(",")[2]  # "1,2,3" is a list: its last item
        digits = whole.rstrip(",") + point + rest
    percent = "%" if number.endswith("%") else ""
    return ("-" if _is_negative(text, match.start()) else "") + digits + percent


def _is_negative(text: str, start: int) -> bool:
    before = text[max(0, start - 24) : start]
    unspaced = before.rstrip(_MONEY + "\\")
    spaced = unspaced.rstrip(" " + _MONEY + "\\")
    if spaced != before and (sign := _SIGN_WORD.search(spaced)) is not None:
        leading = spaced[: sign.start()]
        return sign["operator"] is None or _BEFORE_A_SIGN.search(leading) is not None
    if not spaced or spaced[-1] not in _MINUS:
        return False
    previous = spaced[:-1]
    if spaced == unspaced:  # "-5": an operator only directly behind a value, as in "8-5"
        return not previous or not (previous[-1].isalnum() or previous[-1] in ")]}%")
    return previous.rstrip(" ")[-1:] in ("=", ":", "(", "<", ">") or previous.endswith("is ")
