"""Questions from a file on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from econ_env.questions.fields import Fields, named_fields
from econ_env.questions.folders import files_of_split
from econ_env.questions.listed import ListedQuestions
from econ_env.questions.rows import SUFFIXES, Row, read_rows, unit
from econ_env.questions.table import Limits, Table


class LocalQuestions(ListedQuestions):
    """The questions of one ``.jsonl``, ``.json``, ``.parquet`` or ``.csv`` file.

    Args:
        path: the file.
        question_field_name: field with the question.
        answer_field_name: field with the gold answer. Name both fields or neither; without names
            the first row decides (:data:`econ_env.questions.fields.KNOWN_FIELDS`).
        max_question_length: maximum length of a question in characters; rows with a longer one are
            left out and counted in :attr:`skipped`. None: no limit.
        max_answer_length: maximum length of a gold answer in characters; rows with a longer one
            are left out and counted as well. None: no limit.

    Raises:
        QuestionError: see :class:`ListedQuestions`; also if the file is missing or malformed.
    """

    def __init__(
        self,
        path: str | Path,
        question_field_name: str | None = None,
        answer_field_name: str | None = None,
        max_question_length: int | None = None,
        max_answer_length: int | None = None,
    ) -> None:
        limits = Limits(
            max_question_length=max_question_length, max_answer_length=max_answer_length
        )
        fields = named_fields(question_field_name, answer_field_name)
        super().__init__(file_table(Path(path), fields), limits)


def local_table(
    path: Path, fields: Fields | None, *, split: str, subset: str | None = None
) -> Table:
    """The table of a file, or of the files of a folder that hold ``split``.

    Raises:
        QuestionError: the folder holds no such split, or not all of it.
    """
    if not path.is_dir():
        return file_table(path, fields)
    files = files_of_split(path, split, subset)
    if len(files) == 1:
        return file_table(files[0], fields)
    return Table(
        name=f"{path.resolve().name}/{split}",
        where=f"{path} (split {split!r}, {len(files)} files)",
        unit="row",
        rows=partial(_rows_of_all, files),
        fields=fields,
    )


def file_table(path: Path, fields: Fields | None) -> Table:
    """The table of one file, which is opened only when the rows are read."""
    return Table(
        name=f"{path.resolve().parent.name}/{path.name}",
        where=str(path),
        unit=unit(path),
        rows=partial(read_rows, path),
        fields=fields,
    )


def is_file_name(path: Path) -> bool:
    """True if ``path`` has the extension of a readable format."""
    return path.suffix.lower() in SUFFIXES


def _rows_of_all(files: list[Path]) -> Iterator[Row]:
    """The rows of several files, numbered from 1 on over all of them."""
    rows = chain.from_iterable(map(read_rows, files))
    for number, (_, row) in enumerate(rows, 1):
        yield number, row
