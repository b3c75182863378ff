"""A data set as numbered rows, and the conversion of rows to questions.

A :class:`Table` is a file or one split of a data set of the hub. :func:`read_table` reads it row
by row and returns faults as values: a game stops at the first one, a validation lists all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from econ_env.questions.base import Question, QuestionError
from econ_env.questions.fields import Fields, check_gold, detect_fields, read_row
from econ_env.questions.rows import Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of one data set."""

    name: str
    """Short name, the beginning of the ids of its questions, such as ``gsm8k/test.jsonl``."""
    where: str
    """Place of the data, with which every error message begins."""
    unit: str
    """Unit of a row number: ``"line"`` or ``"row"``."""
    rows: Callable[[], Iterator[Row]]
    """Function that reads the rows, numbered from 1. It raises ``QuestionError``."""
    fields: Fields | None
    """The fields to read; None: detected from the first row."""
    size: int | None = None
    """Number of rows; None if it is unknown before reading."""

    def place(self, number: int) -> str:
        """The place of one row, with which its errors begin."""
        return f"{self.where}, {self.unit} {number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Maximum lengths of texts; rows with longer texts are left out, never cut.

    Raises:
        ValueError: a limit is below 1.
    """

    max_question_length: int | None = None
    """Maximum number of characters of a question; None: no limit."""
    max_answer_length: int | None = None
    """Maximum number of characters of a gold answer in the data set; None: no limit."""

    def __post_init__(self) -> None:
        for name, limit in (
            ("max_question_length", self.max_question_length),
            ("max_answer_length", self.max_answer_length),
        ):
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1 or None, not {limit}")

    def allow(self, question: str, answer: str) -> bool:
        """True if both texts are short enough."""
        return (self.max_question_length is None or len(question) <= self.max_question_length) and (
            self.max_answer_length is None or len(answer) <= self.max_answer_length
        )


class ReadRow(NamedTuple):
    """Result of reading one row: a question, a fault, or neither if it was too long."""

    number: int
    """Number of the line or row, from 1."""
    question: Question | None
    fault: QuestionError | None


def read_table(table: Table, limits: Limits) -> Iterator[ReadRow]:
    """Yield the rows of ``table``, one by one.

    Raises:
        QuestionError: the rows cannot be read any further, or their fields are not recognised.
    """
    fields = table.fields
    for number, row in table.rows():
        if isinstance(row, QuestionError):
            yield ReadRow(number, None, row)
            continue
        where = table.place(number)
        if fields is None:
            fields = detect_fields(list(row), where)
        question_id = f"{table.name}:{number}"
        try:
            question = read_row(row, fields, where=where, question_id=question_id)
            if not limits.allow(question.text, question.gold):
                yield ReadRow(number, None, None)
                continue
            check_gold(question, row, fields, where)
        except QuestionError as fault:
            yield ReadRow(number, None, fault)
        else:
            yield ReadRow(number, question, None)


def no_questions(table: Table, limits: Limits, too_long: int, *, faulty: int = 0) -> QuestionError:
    """The error of a table without usable questions: all were too long or faulty."""
    if faulty:
        return QuestionError(
            f"{table.where}: none of the questions can be used: {faulty} rows are faulty and "
            f"{too_long} too long; `econ-env validate` lists the reasons"
        )
    if too_long:
        return QuestionError(
            f"{table.where}: all {too_long} questions are longer than max_question_length="
            f"{limits.max_question_length} or max_answer_length={limits.max_answer_length} "
            "characters"
        )
    return QuestionError(f"{table.where}: the data set holds no questions")
