"""The fields of a row that hold the question and the gold answer, and their text.

Data sets use different names for these fields. :class:`Fields` holds the names of one data set,
:func:`detect_fields` knows the common ones, :func:`read_row` turns one row into a question. Readers
of files and of the hub share them, so that all errors name the place and the field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite

from econ_env.questions.base import Question, QuestionError
from econ_env.questions.choices import with_choices
from econ_env.questions.gold import GoldFormat, gold_fault
from econ_env.text import encodable


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """Names of the fields of one data set."""

    question: tuple[str, ...]
    """Fields of the question, joined in this order by a space; usually one field."""
    answer: str
    kind: str | None = None
    """Field with the type of the question. If None or absent in a row, the kind is empty."""
    gold: GoldFormat = "any"
    """Format of the answers. A row whose answer has another format is faulty."""

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that every row must have."""
        return (*self.question, self.answer)


KNOWN_FIELDS = (
    Fields(question=("question",), answer="answer"),  # GSM8K, StrategyQA
    Fields(question=("problem",), answer="answer", kind="subject"),  # MATH-500
    Fields(question=("problem",), answer="solution", kind="type", gold="boxed"),  # MATH
    Fields(question=("question_concat",), answer="Answer", kind="Type"),  # SVAMP, newer files
    Fields(question=("Body", "Question"), answer="Answer", kind="Type"),  # SVAMP
    Fields(question=("input",), answer="target"),  # GSM-Hard
    Fields(question=("prompt",), answer="answer"),
)
"""The sets of fields that :func:`detect_fields` knows; the first match wins."""


def detect_fields(present: Sequence[str], where: str) -> Fields:
    """The known set of fields that fits the fields ``present`` in a data set.

    Raises:
        QuestionError: none fits; the message begins with ``where`` and lists the fields present.
    """
    for fields in KNOWN_FIELDS:
        if set(fields.required) <= set(present):
            return fields
    known = ", ".join(f"{'+'.join(fields.question)}/{fields.answer}" for fields in KNOWN_FIELDS)
    raise QuestionError(
        f"{where}: cannot tell which fields hold question and answer. Fields there: "
        f"{_listed(present)}. Name two of them with question_field_name and answer_field_name "
        f"(known without naming: {known})."
    )


def named_fields(question_field_name: str | None, answer_field_name: str | None) -> Fields | None:
    """The fields that a user named; None if both names are None, so that they are detected.

    Raises:
        QuestionError: only one of the two is named.
    """
    if question_field_name is None and answer_field_name is None:
        return None
    if question_field_name is None or answer_field_name is None:
        raise QuestionError(
            "give question_field_name and answer_field_name together, or neither to have them "
            f"detected; got {question_field_name!r} and {answer_field_name!r}"
        )
    return Fields(question=(question_field_name,), answer=answer_field_name)


def read_row(
    row: Mapping[str, object], fields: Fields, *, where: str, question_id: str
) -> Question:
    """The question in ``row``; every error message begins with ``where`` (file and row).

    A question may be a chat, of which the user's last message counts. Choices beside the question
    become part of it, and the letter and text of the right one are the gold answer.
    Lone surrogates, which JSON can spell but UTF-8 cannot encode, become question marks.

    Raises:
        QuestionError: a field is missing or empty, or its value is not text, number or boolean.
    """
    texts = [_question_text(row, name, where) for name in fields.question]
    text, gold = " ".join(texts), _text(row, fields.answer, where)
    if fields.gold == "any":
        chosen = with_choices(text, _value(row, fields.answer, where), row, where)
        text, gold = (text, gold) if chosen is None else map(encodable, chosen)
    kind = row.get(fields.kind) if fields.kind is not None else None
    return Question(
        id=question_id,
        text=text,
        gold=gold,
        kind="" if kind is None else encodable(str(kind)).strip(),
    )


def check_gold(question: Question, row: Mapping[str, object], fields: Fields, where: str) -> None:
    """Reject a ``question`` of ``row`` whose gold answer cannot be graded.

    Raises:
        QuestionError: see :func:`econ_env.questions.gold.gold_fault`.
    """
    fault = gold_fault(question.gold, fields.gold)
    if fault is not None:
        raise QuestionError(
            f"{where}: field {fields.answer!r} holds no gold answer that can be graded: {fault}. "
            f"Correct it or remove the row; fields there: {_listed(row)}."
        )


def _value(row: Mapping[str, object], name: str, where: str) -> object:
    """The value of a field; ``a.b`` is the field ``b`` of the object in field ``a``."""
    value: object = row
    for part in (name,) if name in row else name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            near = get_close_matches(name, list(row), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise QuestionError(f"{where}: no field {name!r}; fields there: {_listed(row)}.{hint}")
        value = value[part]
    return value


def _question_text(row: Mapping[str, object], name: str, where: str) -> str:
    """The text of a field that may be a chat: then what its user says last is the question."""
    value = _value(row, name, where)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return _text(row, name, where)
    text = _said_by_user(value)
    if not text:
        raise QuestionError(
            f"{where}: field {name!r} is a list without a message of a user "
            '({"role": "user", "content": text}); fields there: ' + f"{_listed(row)}."
        )
    return encodable(text).strip()


def _said_by_user(messages: Sequence[object]) -> str:
    for message in reversed(messages):
        if not isinstance(message, Mapping):
            continue
        role = message.get("role", message.get("from"))
        content = message.get("content", message.get("value"))
        if isinstance(content, list):  # parts of text
            parts = [part.get("text") for part in content if isinstance(part, Mapping)]
            content = "\n".join(part for part in parts if isinstance(part, str))
        if role in ("user", "human") and isinstance(content, str) and content.strip():
            return content
    return ""


def _text(row: Mapping[str, object], name: str, where: str) -> str:
    value = _value(row, name, where)
    if isinstance(value, str):
        text = encodable(value).strip()
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, int):
        text = str(value)
    elif isinstance(value, float) and isfinite(value):
        # All digits of repr, but never an exponent: 2e-06 becomes 0.000002.
        text = format(Decimal(repr(value)), "f")
    elif isinstance(value, Decimal) and value.is_finite():
        text = format(value, "f")
    elif value is None:
        text = ""
    else:
        raise QuestionError(
            f"{where}: field {name!r} must be text, a finite number or true/false, "
            f"but is {_short(value)} ({type(value).__name__})"
        )
    if not text:
        raise QuestionError(
            f"{where}: field {name!r} is empty; fill it in or remove the row. "
            f"Fields there: {_listed(row)}."
        )
    return text


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
