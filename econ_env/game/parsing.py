"""Parsing of a coordinator's texts: its commitment, and its strategy without a leaked answer.

A commitment is asked for as one JSON object. Models return it in code fences, with trailing
commas, single quotes, LaTeX whose backslashes are not escaped, or cut off at the token limit.
:func:`parse_commitment` reads all of these and records how (``parse_method``), so that reports can
tell a clean reply from a repaired one. Nothing is evaluated, no parser recurses, and the time is
linear in the length of the text.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, Literal

from econ_env.game.loose_json import loose_objects, restore_latex
from econ_env.grading.extraction import boxed_answer, find_answer, outside_think
from econ_env.text import encodable

MAX_CHARACTERS = 50_000
"""Maximum length of a reply that needs repair; only the end of a longer one is read."""
MAX_ANSWER_CHARACTERS = 1_000
"""Maximum length of a value; a longer one is not an answer."""
MAX_STRATEGY_CHARACTERS = 2_000
"""Maximum length of a strategy, longer than 50 tokens unless a server ignored that limit."""
_MAX_CHECKS = 16

_STEP_END = re.compile(
    r"(?:^[ \t]*|(?<=[.!?]\s))\d{1,3}[.)]|(?P<end>[.!?](?=\s|\Z)|(?<=\S)[ \t]*\n)", re.MULTILINE
)
"""End of a sentence or line; the dot of a step's number ("2.") is not one."""
_WORD = re.compile(r"\S+")
_PIECE = re.compile(r"[A-Za-z\u00C0-\u024F]{1,12}|\d{1,3}|[^\W\d_]{1,2}|[^\w\s]|_")

Method = Literal["json", "repaired", "boxed", "last_number", "none", "copied"]

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=lambda name: None)
"""Decoder that keeps numbers as written: 0.10 is not 0.1, and no digit of a long one is lost."""

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred thousand"
)
_FILLERS = (
    r"number(?!\s+of\b) about approximately around roughly exactly simply just equal to probably "
    "likely be the a an therefore thus hence then so minus negative total of value"
)
_LEFT_TO = "us you him her them it with a total of exactly about only just the"
_ABOUT_THE_ANSWER = (
    "found given positive negative correct wrong rounded reasonable unknown asked add subtract "
    "multiply divide count compare sum"
)
_LEAK = re.compile(
    r"\\boxed|\\fbox|#{4}"
    r"|(?:=>|⇒|→|->)\s*[$€£]?[-−]?\d"
    # A conclusion without the word "answer".
    r"|\b(?:it\s+(?:equals|comes\s+to)|(?:total|final)\s*[:=])\s*[$€£]?[-−]?\d"
    r"|\d[\d\s.+*/×÷()-]{0,60}=\s*[$€£]?[-−]?\d"
    # What a step comes to: "which leaves 27", "leaving her with 27", "so 27 apples remain".
    r"|,?\s*\b(?:(?:which|that|this)\s+(?:leaves|gives|makes|yields)|leaving|yielding)\s+"
    rf"(?:(?:{'|'.join(_LEFT_TO.split())})\s+){{0,3}}[$€£]?[-−]?\d"
    r"|,?\s*\b(?:so|thus|hence|therefore|then)\b,?\s+(?:there\s+(?:are|is)\s+)?(?:only\s+)?"
    r"[$€£]?[-−]?\d[\d.,]{0,20}\s+(?:[a-z]{1,20}\s+){0,2}"
    r"(?:remains?|(?:(?:are|is)\s+)?left|in\s+total|altogether)\b"
    r"|(?:\b(?:so|thus|hence|therefore|then)\b,?\s*)?(?:\b(?:the|our|my)\s+)?"
    r"(?:\b(?:final|correct|overall)\s+)?"
    # A number or number word after "is", after a colon, or directly ("final answer 42") ...
    r"(?:\b(?:answer|result|solution|(?:final|correct)\s+(?:value|number|choice|option)"
    r"|expected\s+(?:value|answer|result|total)(?!\s+of\b))\b"
    r"(?:,\s*(?:then|therefore|thus|hence|so),)?[\s*_]*"
    r"(?:is|are|equals|comes\s+(?:out\s+)?to|(?:will|would|must|should)\s+be)?"
    rf"(?:[^\w\n.;]|_|\b(?:{'|'.join(_FILLERS.split())})\b){{0,12}}"
    rf"(?:\d(?![\d.,]*-[a-z])|\([A-H]\)|\b(?:{'|'.join(_NUMBER_WORDS.split())})\b)"
    # ... or a single word that ends the sentence ("Answer: Paris").
    r"|\banswer\b[\s*_]*(?:is\b|(?:will|would|must)\s+be\b|[:：=])[\s*_:]*"
    rf"(?!(?:{'|'.join(_ABOUT_THE_ANSWER.split())})\b)[^\s.,;]+[*_]*\s*(?:[.,;!\n]|\Z))",
    re.IGNORECASE,
)
_LEAK_SIGNS = (
    *("answer", "result", "solution", "final", "correct", "total", "equals", "comes"),
    *("expected", "leaves", "leaving", "gives", "makes", "yield", "remain", "left", "altogether"),
    *("boxed", "fbox", "####", "=", "⇒", "→", "->"),
)
"""Quick test: a strategy without any of these cannot match ``_LEAK``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Commitment:
    """A coordinator's conclusion, parsed from its reply."""

    value: str | None
    """The final answer as text, numbers exactly as written; None if there is none."""
    reason: str = ""
    confidence: float | None = None
    """Confidence in [0, 1]; a number above 1 is read as a percentage. None if it is missing, not a
    number, negative or above 100 %."""
    checklist: dict[str, bool] = field(default_factory=dict)
    parse_method: Method


def parse_commitment(text: str) -> Commitment:
    r"""Read a commitment from a coordinator's reply.

    The methods are tried in this order; the first that finds a value wins:

    * ``json``: the whole reply is one JSON object with a ``value``. Of equal keys the last counts.
    * ``repaired``: an object can be read with tolerance; of several objects the last counts.
    * ``boxed``: the last balanced ``\boxed{...}``. If it is empty, there is no value.
    * ``last_number``: any other way to find an executor's answer
      (:func:`econ_env.grading.extraction.find_answer`): behind ``####``, behind an answer phrase,
      a reply that consists of one value, or else the last number.
    * ``none``: no value at all, or a whole object that says ``"value": null``.

    If an object has a reason, ``boxed`` and ``last_number`` search only the reason, since the last
    number of a broken object is its confidence. Text in a ``<think>`` block is never read.
    """
    text = outside_think(text).strip()
    entries = _strict_object(text)
    if entries is not None and (value := _value_text(raw := entries.get("value"))) is not None:
        damaged = isinstance(raw, str) and restore_latex(raw) != raw
        return _commitment(value, entries, "repaired" if damaged else "json")
    if entries is not None and "value" in entries and entries["value"] is None:
        return _commitment(None, entries, "none")  # an explicit null stands

    text = text[-MAX_CHARACTERS:]
    found: dict[str, Any] = {}
    for entries in loose_objects(text):
        if entries.keys() & {"value", "answer", "final_answer", "reason"}:
            found = entries
    for key in ("value", "answer", "final_answer"):
        if (value := _value_text(found.get(key))) is not None:
            return _commitment(value, found, "repaired")

    reason = found.get("reason", "" if found else text)
    source = reason if isinstance(reason, str) else ""
    answer = find_answer(source)
    if answer is None or len(answer.answer) > MAX_ANSWER_CHARACTERS:
        return _commitment(None, found, "none")
    method: Method = "boxed" if answer.way == "boxed" else "last_number"
    return _commitment(encodable(answer.answer), found, method)


def guard_strategy(text: str) -> tuple[str, bool]:
    """Cut a strategy before the first answer that it gives away.

    A strategy is cut before a box, before ``####``, before an arrow to a number (``=> 42``) and
    before a calculation with its value (``6*7 = 42``) or a phrase followed by a value ("the answer
    is 42", "Answer: Paris", "the correct choice is (B)", "which leaves 42", "so 42 remain",
    "expected value 42"). A phrase that only speaks about the answer ("the answer is the sum of
    both") stays. Text behind :data:`MAX_STRATEGY_CHARACTERS` is dropped.

    Returns:
        The strategy without the answer, and True if it gave one away.
    """
    text = outside_think(text)[:MAX_STRATEGY_CHARACTERS]
    lowered = text.lower()
    leak = _LEAK.search(text) if any(sign in lowered for sign in _LEAK_SIGNS) else None
    return (text if leak is None else text[: leak.start()]).strip(), leak is not None


def whole_steps(strategy: str) -> str:
    """Shorten a strategy that the token limit cut off to its last whole sentence or line.

    Half a step ("2. Calculate the total") makes a model do only that step and stop, so a strategy
    without a whole step becomes empty.
    """
    ends = [match.end() for match in _STEP_END.finditer(strategy) if match["end"] is not None]
    return strategy[: ends[-1]].strip() if ends else ""


def count_pieces(text: str) -> int:
    """Count words, groups of three digits, and signs: a token count that is equal for all models.

    Hardly any tokenizer takes fewer tokens, so that a strategy within its limit is never cut.
    """
    return sum(1 for _ in _PIECE.finditer(text))


def within_tokens(strategy: str, limit: int, *, in_sentences: bool) -> str:
    """Cut a strategy to a number of tokens (:func:`count_pieces`), if a server ignored the limit.

    Args:
        strategy: the strategy.
        limit: maximum number of tokens.
        in_sentences: True to cut behind the last whole sentence or line that fits, as
            :func:`whole_steps`; False to cut behind the last word.
    """
    if count_pieces(strategy) <= limit:
        return strategy
    ends = [
        match.end()
        for match in (_STEP_END if in_sentences else _WORD).finditer(strategy)
        if not in_sentences or match["end"] is not None
    ]
    fitting = bisect_right(ends, limit, key=lambda end: count_pieces(strategy[:end]))
    return strategy[: ends[fitting - 1]].strip() if fitting else ""


def states_value(strategy: str, value: str) -> bool:
    """Return True if a strategy contains a value as a number or word of its own."""
    edge = r"(?![\w]|[.,]\d)"
    return re.search(rf"(?<![\w.,]){re.escape(value)}{edge}", strategy, re.IGNORECASE) is not None


def _commitment(
    value: str | None,
    entries: dict[str, Any],
    method: Method,
) -> Commitment:
    reason = entries.get("reason")
    return Commitment(
        value=value,
        reason=restore_latex(encodable(reason)).strip() if isinstance(reason, str) else "",
        confidence=_confidence(entries.get("confidence")),
        checklist=_checklist(entries.get("checklist")),
        parse_method=method,
    )


def _strict_object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        decoded = _DECODER.decode(text)
    except (ValueError, RecursionError):  # RecursionError: hostile nesting
        return None
    return decoded if isinstance(decoded, dict) else None


def _value_text(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, list):
        items = [_scalar_text(item) for item in value]
        value = None if None in items else ", ".join(item for item in items if item is not None)
    return _scalar_text(value)


def _scalar_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str) or len(value) > MAX_ANSWER_CHARACTERS:
        return None
    value = restore_latex(encodable(value)).strip()
    boxed = boxed_answer(value)
    return (value if boxed is None else boxed) or None


def _confidence(value: object) -> float | None:
    """A confidence in [0, 1], from such a number or a percentage ("80%", or 80).

    Everything else (negative, above 100, not a number) cannot be relied on and becomes None.
    """
    if not isinstance(value, str) or len(value) > 40:
        return None
    percent = value.endswith("%")
    try:
        number = float(value.rstrip("% "))
    except ValueError:
        return None
    if percent or number > 1:
        number /= 100
    return number if 0 <= number <= 1 else None


def _checklist(value: object) -> dict[str, bool]:
    if not isinstance(value, dict):
        return {}
    checks = [(encodable(k)[:40], v) for k, v in value.items() if isinstance(v, bool)]
    return dict(checks[:_MAX_CHECKS])
