"""Questions of a stream, which are read when needed and kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from econ_env.questions.base import Question
from econ_env.questions.table import Limits, ReadRow, Table, no_questions, read_table


class StreamedQuestions:
    """The questions of one table, read only as far as needed.

    The length of a stream is unknown before its end. Questions that were read are kept, so a second
    pass needs no network. :class:`~econ_env.questions.base.QuestionOrder` describes the shuffling.

    Args:
        table: the rows.
        limits: rows with longer texts are left out.

    Raises:
        QuestionError: same as for :class:`ListedQuestions`, but only when a faulty row is reached.
            The constructor reads the first question.
    """

    def __init__(self, table: Table, limits: Limits) -> None:
        self.name = table.name
        self.skipped = 0
        """Number of rows left out so far because their question or answer is too long."""
        self._questions: list[Question] = []
        self._rows: Iterator[ReadRow] = read_table(table, limits)
        self._is_read = False
        if not self.available(1):
            raise no_questions(table, limits, self.skipped)

    def available(self, count: int) -> int:
        """Number of existing questions among the first ``count``. Reads no further than needed."""
        while len(self._questions) < count and not self._is_read:
            row = next(self._rows, None)
            if row is None:
                self._is_read = True
            elif row.fault is not None:
                raise row.fault
            elif row.question is None:
                self.skipped += 1
            else:
                self._questions.append(row.question)
        return min(count, len(self._questions))

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
