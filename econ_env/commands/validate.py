"""``econ-env validate``: checks that the answers of a data set can be graded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, NamedTuple

import tyro
from tqdm import tqdm

from econ_console.progress import progress
from econ_env.commands.flags import EnvFlags, only, with_flags, with_help
from econ_env.grading.answers import Verdict, gold_answer, grade
from econ_env.grading.perturbation import perturbed
from econ_env.questions.base import Question, QuestionError, QuestionSource
from econ_env.questions.load import PROCEDURAL, DataSetName, open_table, procedural_questions
from econ_env.questions.table import Limits, Table, no_questions, read_table


@with_help
@dataclass(frozen=True, kw_only=True)
class Validate:
    """Check that every row of a data set can be read and graded, before models play it.

    A row passes if it has a question and a gold answer, if that answer is graded correct against
    itself, and if a similar wrong answer (12 for 11, no for yes, x^3 + 1 for x^2 + 1) is graded
    incorrect. Every row that fails is listed with its place and the reason.

    For example "econ-env validate my_questions.jsonl", "econ-env validate gsm8k --split train", or
    "econ-env validate gsm8k --data-path path/to/test.jsonl" for rows on this machine.

    The exit code is 0 if all rows pass, 1 if some fail, 2 if the data set cannot be read, and 130
    after Ctrl-C, which prints the counts so far.
    """

    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    rows: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Check the first N rows only."""
    settings: Annotated[
        EnvFlags,
        only(
            "split",
            "data_path",
            "subset",
            "revision",
            "streaming",
            "question_field_name",
            "answer_field_name",
            "max_question_length",
            "max_answer_length",
            "seed",
        ),
    ]

    def run(self) -> int:
        """Check the rows; the exit code is 0, 1 if rows fail, or 130 after Ctrl-C.

        Raises:
            QuestionError: the data set cannot be read. The counts so far are printed.
        """
        rows, total = self._open()
        tally = Tally()
        try:
            for row in progress(rows, description="checking", unit="row", total=total):
                tally.count(row)
                if row.reason is not None:
                    tqdm.write(f"{row.place}: {with_flags(row.reason)}")
        except KeyboardInterrupt:
            print(f"interrupted after {tally.rows} rows", file=sys.stderr)
            print(tally)
            return 130
        except QuestionError:
            if tally.rows:
                print(tally)
            raise
        print(tally)
        return 1 if tally.failed else 0

    def _open(self) -> tuple[Iterator[CheckedRow], int | None]:
        """Return the rows to check, and their number if it is known."""
        if self.rows is not None and self.rows < 1:
            raise QuestionError(f"--rows must be at least 1, got {self.rows}")
        name = DataSetName(
            dataset=self.dataset,
            split=self.settings.split,
            data_path=self.settings.data_path,
            subset=self.settings.subset,
            revision=self.settings.revision,
            streaming=self.settings.streaming,
            question_field_name=self.settings.question_field_name,
            answer_field_name=self.settings.answer_field_name,
        )
        if self.dataset in PROCEDURAL:
            source = procedural_questions(name, seed=self.settings.seed)
            return self._first(check_source(source), len(source))
        table = open_table(name)
        return self._first(check_table(table, self._limits()), table.size)

    def _first(
        self, rows: Iterator[CheckedRow], size: int | None
    ) -> tuple[Iterator[CheckedRow], int | None]:
        """Return the first ``--rows`` of ``rows``, and their number; ``size`` counts all rows."""
        if self.rows is None:
            return rows, size
        return islice(rows, self.rows), self.rows if size is None else min(size, self.rows)

    def _limits(self) -> Limits:
        try:
            return Limits(
                max_question_length=self.settings.max_question_length,
                max_answer_length=self.settings.max_answer_length,
            )
        except ValueError as error:
            raise QuestionError(str(error)) from error


class CheckedRow(NamedTuple):
    """Result for one row."""

    place: str
    """Place of the row: file and line, for example."""
    reason: str | None
    """Reason for a failure; None if the row passes or is left out."""
    is_left_out: bool
    """True if the row is longer than the limits allow."""


@dataclass(kw_only=True, slots=True)
class Tally:
    """Numbers of rows that passed, failed and were left out so far."""

    passed: int = 0
    failed: int = 0
    left_out: int = 0

    @property
    def rows(self) -> int:
        """Number of all rows counted."""
        return self.passed + self.failed + self.left_out

    def count(self, row: CheckedRow) -> None:
        """Add one row."""
        if row.is_left_out:
            self.left_out += 1
        elif row.reason is None:
            self.passed += 1
        else:
            self.failed += 1

    def __str__(self) -> str:
        """Return the counts as lines for people."""
        counts = (
            f"rows checked         {self.passed + self.failed}\npassed               {self.passed}"
        )
        if self.left_out:
            counts += f"\nleft out as too long {self.left_out}"
        return f"{counts}\nfailed               {self.failed}"


def check_table(table: Table, limits: Limits) -> Iterator[CheckedRow]:
    """Check the rows of a file or of the hub, one by one.

    Raises:
        QuestionError: further rows cannot be read, or there is no row to check.
    """
    checked = left_out = 0
    for row in read_table(table, limits):
        place = f"{table.where}, {table.unit} {row.number}"
        if row.fault is not None:
            # The message begins with the place.
            checked += 1
            yield CheckedRow(place, str(row.fault).removeprefix(f"{place}: "), False)
        elif row.question is None:
            left_out += 1
            yield CheckedRow(place, None, True)
        else:
            checked += 1
            yield CheckedRow(place, why_not_gradable(row.question), False)
    if not checked:
        raise no_questions(table, limits, left_out)


def check_source(source: QuestionSource) -> Iterator[CheckedRow]:
    """Check the questions of a source without rows."""
    for index in range(len(source)):
        question = source[index]
        yield CheckedRow(question.id, why_not_gradable(question), False)


def why_not_gradable(question: Question) -> str | None:
    """Return the reason why answers to ``question`` would be graded wrongly; None if there is none.

    The gold answer in a box, as models are asked to give it, must be graded correct, and its
    variant by :func:`~econ_env.grading.perturbation.perturbed` must be graded incorrect.
    """
    gold = gold_answer(question.gold)
    verdict = grade(f"\\boxed{{{gold}}}", question.gold)
    if verdict is not Verdict.CORRECT:
        return f"the gold answer {gold!r} is graded {verdict.value} against itself"
    wrong = perturbed(gold)
    verdict = grade(f"\\boxed{{{wrong}}}", question.gold)
    if verdict is Verdict.CORRECT:
        return f"the wrong answer {wrong!r} is graded correct; the gold answer is {gold!r}"
    if verdict is Verdict.UNPARSEABLE:
        return (
            f"the gold answer {gold!r} cannot be read as a value, so that only this exact spelling "
            f"is graded correct (the wrong answer {wrong!r} is graded unparseable)"
        )
    if verdict is Verdict.TIMEOUT:
        return f"comparing the gold answer {gold!r} with {wrong!r} took too long"
    return None
