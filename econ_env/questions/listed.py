"""Questions that are read once and kept: those of files and of data sets that are not streamed."""

from __future__ import annotations

from econ_console.progress import progress
from econ_env.questions.base import Question
from econ_env.questions.skipped import SkippedRows
from econ_env.questions.table import Limits, Table, no_questions, read_table


class ListedQuestions:
    """The questions of one table, read from beginning to end when the object is made.

    Text is stripped of surrounding white space; a gold answer that is a number or true/false
    becomes text (``-3.0``, ``yes``/``no``).

    Args:
        table: the rows.
        limits: rows with longer texts are left out and counted in :attr:`skipped`.
        skip_bad_rows: True to leave out faulty rows, which are written to a file and reported with
            their number; False to raise the first fault.

    Raises:
        QuestionError: the rows cannot be read or hold no question, a row lacks a field, or a gold
            answer cannot be graded. The message names the data set, the row and the field.
    """

    def __init__(self, table: Table, limits: Limits, *, skip_bad_rows: bool = False) -> None:
        self.name = table.name
        self.skipped = 0
        """Number of rows left out because their question or answer is too long."""
        self._questions: list[Question] = []
        faulty = SkippedRows(table.name)
        rows = read_table(table, limits)
        for row in progress(
            rows, description=f"reading {table.name}", unit=table.unit, total=table.size
        ):
            if row.fault is not None:
                if not skip_bad_rows:
                    raise row.fault
                faulty.add(number=row.number, place=table.place(row.number), fault=row.fault)
            elif row.question is None:
                self.skipped += 1
            else:
                self._questions.append(row.question)
        faulty.report(table.where)
        if not self._questions:
            raise no_questions(table, limits, self.skipped, faulty=faulty.count)

    def __len__(self) -> int:
        """Number of questions, those left out not counted."""
        return len(self._questions)

    def __getitem__(self, index: int) -> Question:
        """Question number ``index`` in the order of the data set."""
        return self._questions[index]
