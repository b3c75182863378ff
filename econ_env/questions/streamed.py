"""Questions of a stream, which are read when needed and kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from econ_env.questions.base import Question, QuestionError
from econ_env.questions.skipped import SkippedRows
from econ_env.questions.table import Limits, ReadRow, Table, no_questions, read_table


class StreamedQuestions:
    """The questions of one table, read only as far as needed.

    The length of a stream is unknown before its end. Questions that were read are kept, so a second
    pass needs no network. :class:`~econ_env.questions.base.QuestionOrder` describes the shuffling.

    Args:
        table: the rows.
        limits: rows with longer texts are left out.
        skip_bad_rows: True to leave out faulty rows, which are written to a file and reported with
            their number at the first one and at the end.

    Raises:
        QuestionError: same as for :class:`ListedQuestions`, but only when a faulty row is reached.
            The constructor reads the first question.
    """

    def __init__(self, table: Table, limits: Limits, *, skip_bad_rows: bool = False) -> None:
        self.name = table.name
        self.skipped = 0
        """Number of rows left out so far because their question or answer is too long."""
        self._questions: list[Question] = []
        self._rows: Iterator[ReadRow] = read_table(table, limits)
        self._is_read = False
        self._table = table
        self._skips_bad_rows = skip_bad_rows
        self._faulty = SkippedRows(table.name)
        if not self.available(1):
            raise no_questions(table, limits, self.skipped, faulty=self._faulty.count)

    def available(self, count: int) -> int:
        """Number of existing questions among the first ``count``. Reads no further than needed."""
        while len(self._questions) < count and not self._is_read:
            row = next(self._rows, None)
            if row is None:
                self._is_read = True
                self._faulty.report(self._table.where)
            elif row.fault is not None:
                self._skip(row.number, row.fault)
            elif row.question is None:
                self.skipped += 1
            else:
                self._questions.append(row.question)
        return min(count, len(self._questions))

    def _skip(self, number: int, fault: QuestionError) -> None:
        if not self._skips_bad_rows:
            raise fault
        self._faulty.add(number=number, place=self._table.place(number), fault=fault)
        if self._faulty.count == 1:
            self._faulty.report(self._table.where)

    def __len__(self) -> int:
        """Number of questions. Reads the stream to its end."""
        return self.available(sys.maxsize)

    def __getitem__(self, index: int) -> Question:
        """Question number ``index`` in the order of the stream, which is read that far.

        Raises:
            IndexError: the stream is shorter.
        """
        self.available(index + 1)
        return self._questions[index]
