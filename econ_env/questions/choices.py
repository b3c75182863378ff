"""Questions with given answers to choose from: all are asked, and a letter is the gold answer.

Data sets keep the choices beside the question and name the right one by index, letter or text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from econ_env.questions.base import QuestionError

CHOICE_FIELDS = ("choices", "options", "answer_choices")
"""Fields that hold the choices of a row."""
_LETTERS = "ABCDEFGHIJ"
_OWN_LETTER = re.compile(r"\(?([A-J])\s?[).:]\s*(?=\S)")
_LONGEST_TEXT = 200


def with_choices(
    question: str, answer: object, row: Mapping[str, object], where: str
) -> tuple[str, str] | None:
    """The question with its lettered choices, and the letter and text of the right one.

    None if the row has no choices. A list of texts is one kind, ``{"A": text, ...}`` and
    ``{"text": [...], "label": [...]}`` are others; ``answer`` is an index from 0, a label, a letter
    or the text itself.

    Raises:
        QuestionError: the choices cannot be read, or ``answer`` names none of them for certain.
    """
    for name in CHOICE_FIELDS:
        if row.get(name) not in (None, [], {}, ""):
            break
    else:
        return None
    given = row[name]
    if isinstance(given, str):
        if not _is_a_pointer(answer):
            return None  # prose that happens to have this name
        raise QuestionError(
            f"{where}: the answer {answer!r} points into field {name!r}, which is text and not a "
            "list of choices; make it a list, or give the answer itself"
        )
    labels, texts = _labelled(given, name, where)
    right = _right_one(answer, labels, texts, name, where)
    if any(
        not _is_listed(question, letter, text)
        for letter, text in zip(_LETTERS, texts, strict=False)
    ):
        lines = [f"{letter}. {text}" for letter, text in zip(_LETTERS, texts, strict=False)]
        question = "\n".join([question, *lines])
    return question, _gold(_LETTERS[right], texts[right])


def _is_a_pointer(answer: object) -> bool:
    return isinstance(answer, int) or (
        isinstance(answer, str) and re.fullmatch(r"\(?[A-Ja-j]\)?|\d", answer.strip()) is not None
    )


def _labelled(given: object, name: str, where: str) -> tuple[list[str], list[str]]:
    """The labels and texts of the choices."""
    labels: Sequence[object] | None = None
    texts: object = given
    if isinstance(given, Mapping):
        if _is_list(given.get("text")):
            texts, labels = given["text"], given.get("label")
        else:
            labels, texts = list(given), list(given.values())
    if (
        not _is_list(texts)
        or not all(isinstance(text, str | int | float) for text in texts)
        or (labels is not None and (not _is_list(labels) or len(labels) != len(texts)))
    ):
        raise QuestionError(
            f"{where}: field {name!r} must be a list of texts, or labels with texts, "
            f"not {_short(given)}"
        )
    if not 2 <= len(texts) <= len(_LETTERS):
        raise QuestionError(
            f"{where}: field {name!r} holds {len(texts)} choices; 2 to {len(_LETTERS)} can be asked"
        )
    written = [" ".join(str(text).split()) for text in texts]
    own = [_OWN_LETTER.match(text) for text in written]
    if all(match and match[1] == letter for match, letter in zip(own, _LETTERS, strict=False)):
        written = [text[match.end() :] for text, match in zip(written, own, strict=True) if match]
    return [str(label) for label in labels or _LETTERS[: len(written)]], written


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _right_one(answer: object, labels: list[str], texts: list[str], name: str, where: str) -> int:
    """The position of the right choice."""
    said = str(answer).strip()
    count = len(texts)
    by_label = [i for i, label in enumerate(labels) if said.strip("()") == label]
    by_text = [i for i, text in enumerate(texts) if said == text]
    is_index = isinstance(answer, int) and not isinstance(answer, bool)
    by_index = [int(said)] if re.fullmatch(r"\d{1,2}", said, re.ASCII) and int(said) < count else []
    if by_label:
        by_index = []
    if is_index and all(isinstance(text, str) for text in texts):
        by_text = by_text if not by_index else []
    found = set(by_label or by_index) | set(by_text)
    if len(found) == 1:
        return found.pop()
    known = f"the {count} choices in field {name!r} ({', '.join(map(_short, texts))})"
    if found:
        raise QuestionError(
            f"{where}: the answer {_short(answer)} may be a position or a text among {known}; "
            "give the letter"
        )
    raise QuestionError(
        f"{where}: the answer {_short(answer)} is none of {known}; give an index from 0 to "
        f"{count - 1}, a letter from A to {_LETTERS[count - 1]}, or one of the texts"
    )


def _is_listed(question: str, letter: str, text: str) -> bool:
    return re.search(rf"\b{letter}\s?[).:]\s*{re.escape(text)}", question) is not None


def _gold(letter: str, text: str) -> str:
    """Letter and text; the letter alone if the text is too long, or too odd, to be compared."""
    is_odd = any(mark in text for mark in ("####", "\\boxed", "\\fbox"))
    is_odd = is_odd or text.count("{") != text.count("}")
    return letter if is_odd or not text or len(text) > _LONGEST_TEXT else f"{letter}. {text}"


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
