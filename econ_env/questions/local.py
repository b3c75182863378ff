"""Questions from a file on this machine."""

from __future__ import annotations

from pathlib import Path

from econ_env.questions.base import Question, QuestionError
from econ_env.questions.fields import detect_fields, named_fields, read_row
from econ_env.questions.rows import read_rows, unit


class LocalQuestions:
    """The questions of one ``.jsonl``, ``.json``, ``.parquet`` or ``.csv`` file.

    The file is read once, from beginning to end, when the object is made. Text is stripped of
    surrounding white space; a gold answer that is a number or true/false becomes text (``-3.0``,
    ``yes``/``no``).

    Args:
        path: the file.
        question_field_name: field with the question.
        answer_field_name: field with the gold answer. Give both names or none: then the shape
            is recognised from the first row (:data:`econ_env.questions.fields.KNOWN_FIELDS`).
        max_question_length: rows with a question of more characters are left out and counted in
            :attr:`skipped`; None: no limit. Nothing is ever cut: half a question is another one.
        max_answer_length: the same for the gold answer.

    Raises:
        QuestionError: the file is missing, malformed or without questions, or a row lacks a
            field. The message names the file, the row and the field.
    """

    def __init__(
        self,
        path: str | Path,
        question_field_name: str | None = None,
        answer_field_name: str | None = None,
        max_question_length: int | None = None,
        max_answer_length: int | None = None,
    ) -> None:
        for name, limit in (
            ("max_question_length", max_question_length),
            ("max_answer_length", max_answer_length),
        ):
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1 or None, not {limit}")
        path = Path(path)
        fields = named_fields(question_field_name, answer_field_name)
        self.name = f"{path.resolve().parent.name}/{path.name}"
        self.skipped = 0
        """Rows left out because their question or answer is longer than allowed."""
        self._questions: list[Question] = []
        for number, row in read_rows(path):
            where = f"{path}, {unit(path)} {number}"
            if fields is None:
                fields = detect_fields(list(row), where)
            question = read_row(row, fields, where=where, question_id=f"{self.name}:{number}")
            if _longer(question.text, max_question_length) or _longer(
                question.gold, max_answer_length
            ):
                self.skipped += 1
            else:
                self._questions.append(question)
        if not self._questions:
            raise QuestionError(
                f"{path}: all {self.skipped} questions are longer than max_question_length="
                f"{max_question_length} or max_answer_length={max_answer_length} characters"
                if self.skipped
                else f"{path}: the file holds no questions"
            )

    def __len__(self) -> int:
        """Number of questions, those left out not counted."""
        return len(self._questions)

    def __getitem__(self, index: int) -> Question:
        """Question number ``index`` in the order of the file."""
        return self._questions[index]


def _longer(text: str, limit: int | None) -> bool:
    return limit is not None and len(text) > limit
