"""The value that an entry of a commitment states: a word, a number, a formula, or a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping

from econ_env.game.intake import MAX_ANSWER_CHARACTERS
from econ_env.game.loose_json import Value, loose_objects, restore_latex
from econ_env.grading.extraction import Way, boxed_answer, find_answer
from econ_env.grading.latex import clean, looks_mathematical
from econ_env.grading.plain import parse_plain
from econ_env.text import encodable

VALUE_NAMES = ("value", "finalvalue", "answer", "finalanswer", "correctanswer")
"""Names of the entry that holds the value, in the order in which they are looked up."""
OTHER_VALUE_NAMES = (
    *("committedvalue", "correctvalue", "committedanswer", "finalresult", "result", "solution"),
    *("conclusion", "output", "number", "amount", "choice", "final"),
)
"""Names that hold the value if none of :data:`VALUE_NAMES` does."""
UNSTATED: frozenset[Way] = frozenset(("value", "last_number"))
"""Ways of finding an answer that no text states as its answer."""
_ABOUT_A_VALUE = frozenset(("type", "description", "unit", "format"))
_BETWEEN_WORDS = re.compile(r"[\s_-]+")

_BLANK = (
    r"(?:(?:the|your|a|an|insert|put|write|my) )*+(?:(?:final|correct|numeric|numerical|short) )*+"
    r"(?:answer|value|number|result|solution|string|text|placeholder)"
    r"(?: (?:alone|only|here|goes|as|a|string|number|text))*+"
)
_PLACEHOLDER = re.compile(
    rf"[.…_?\s-]++|<[^<>\d]*+>|null|n/a|tbd|todo|xxx+|{_BLANK}"
    rf"|[<\[{{(]+\s*+{_BLANK}\s*+[>\]}})]+",
    re.IGNORECASE,
)
"""A blank to fill in, as instructions and examples show it."""
_NEGATED = re.compile(r"(?:\\neq?(?![A-Za-z])|≠|!=|not\s+[-$\d])")
_CHOICE = re.compile(
    r"(?:(?i:option|choice)\s+)?\(?(?:([A-J])\)|([A-E])[.:]|([A-J])(?=\Z))\.?(?:\s.*)?",
    re.DOTALL,
)
"""A letter, or a letter with its text."""
_NAMED_CHOICE = re.compile(r"\b(?i:option|choice|answer)(?: is)?:? ?\(?([A-J])\)?\.?\Z")
"""A sentence that ends in a choice."""
_WORD = re.compile(r"[^\W\d_]{2,}(?:['’][a-z]+)?")
_AROUND_A_WORD = ".,;:!?\"'“”()*"
_UNLATIN = re.compile(r"[\u0400-\u1fff\u3040-\u9fff\uac00-\ud7a3]{2}")
_JOINING = frozenset(("and", "or"))


def named(entries: Mapping[str, Value]) -> dict[str, Value]:
    """``entries`` by names that do not depend on spelling: "Final Answer" is ``finalanswer``."""
    return {_BETWEEN_WORDS.sub("", key.lower()): value for key, value in entries.items()}


def value_text(value: Value) -> str | None:
    """The value that an entry states, as text; None if it states none.

    A sentence is read like a response. Of an object, the entry that holds its value counts; of a
    list, all items.
    """
    if isinstance(value, str) and value.lstrip()[:2] in ('{"', "{'"):
        value = next(loose_objects(value), value)  # encoded twice
    if isinstance(value, dict):
        value = _entry_of(named(value))
    if isinstance(value, list):
        items = [_stated(item) for item in value]
        value = None if None in items else ", ".join(item for item in items if item is not None)
    return _stated(value)


def is_left_blank(value: Value) -> bool:
    """True if an entry says that there is no value: null, a placeholder, or a mere "not 7"."""
    if not isinstance(value, str):
        return value is None
    text = restore_latex(value).strip().strip("$*`\"'").strip()
    return _PLACEHOLDER.fullmatch(text) is not None or _NEGATED.match(text) is not None


def _entry_of(entries: dict[str, Value]) -> Value:
    for name in (*VALUE_NAMES, *OTHER_VALUE_NAMES):
        if isinstance(entries.get(name), str | bool):
            return entries[name]
    if len(entries) == 1 and entries.keys().isdisjoint(_ABOUT_A_VALUE):
        (single,) = entries.values()
        return single if isinstance(single, str) else None
    return None


def _stated(value: Value) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str) or len(value) > MAX_ANSWER_CHARACTERS or is_left_blank(value):
        return None
    value = restore_latex(encodable(value)).strip()
    boxed = boxed_answer(value)
    return (_answer_in(value) if boxed is None else boxed) or None


def _answer_in(value: str) -> str:
    """The answer in a value that is a sentence, or a choice with its text; else the value."""
    stated = find_answer(value)
    if stated is not None and stated.way not in UNSTATED:
        return stated.answer
    choice = _CHOICE.fullmatch(value) or _NAMED_CHOICE.search(value)
    if choice is not None:
        return str(choice[choice.lastindex or 0])
    if not _is_sentence(value):
        return value
    # A value is what stands behind "the answer is".
    stated = find_answer(f"Answer: {value}")
    return value if stated is None else stated.answer


def _is_sentence(value: str) -> bool:
    if _UNLATIN.search(value):
        return True
    words = [word.strip(_AROUND_A_WORD) for word in value.split()]
    if all(word.lower() in _JOINING or _WORD.fullmatch(word) is None for word in words):
        return False
    cleaned = clean(value)
    return parse_plain(cleaned) is None and not looks_mathematical(cleaned)
