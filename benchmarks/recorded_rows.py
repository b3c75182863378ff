"""Rows that a recording was made with, found again in any copy of their data set.

A comparison draws its questions from all rows of a file, and their seeds from their places in it. A
recording of half of a split therefore needs that half, in its order. Its rows are kept as checksums
of their questions, which contain no text of the data set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from econ_env.errors import UsageError
from econ_env.questions.base import Question
from econ_env.questions.load import load_questions
from econ_env.questions.presets import PRESETS

_DIGITS = 16
"""Hexadecimal digits of a checksum: more than enough to tell the rows of a data set apart."""


def checksum(question: Question) -> str:
    """Return the checksum of a question, whatever its white space."""
    text = " ".join(question.text.split())
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def rows_file(folder: Path, dataset: str, split: str) -> Path:
    """Return the path of the checksums of a split, in the folder of the recordings."""
    return folder / f"{dataset}_{split}_rows.txt"


def checksums_of(dataset: str, split: str, data_path: Path | None) -> list[str]:
    """Return the checksum of every row of a split, in order.

    Raises:
        QuestionError: the data set cannot be read.
        UsageError: it is none of the public data sets.
    """
    if dataset not in PRESETS:
        raise UsageError(f"{dataset!r} is no public data set: name one of {', '.join(PRESETS)}")
    return [checksum(question) for question in _questions(dataset, split, data_path)]


def write_rows(rows: Path, dataset: str, split: str, data_path: Path | None, folder: Path) -> Path:
    """Write the rows whose checksums stand in ``rows``, in that order.

    Args:
        rows: file of checksums.
        dataset: name of a public data set.
        split: split of the data set.
        data_path: file or folder with the rows of the data set; None: the hub.
        folder: an empty folder.

    Returns:
        A folder with one file, to be named as data path.

    Raises:
        QuestionError: the data set cannot be read.
        UsageError: rows are missing there.
    """
    wanted = rows.read_text(encoding="utf-8").split()
    there = {checksum(question): question for question in _questions(dataset, split, data_path)}
    missing = [one for one in wanted if one not in there]
    if missing:
        raise UsageError(
            f"{len(missing)} of the {len(wanted)} rows that were played are not in the split "
            f"{split!r} of {dataset!r} ({'the hub' if data_path is None else data_path}): this is "
            "another version of the data set, or only a part of it"
        )
    # Questions are named after the last folder and the file, and their seeds after their names.
    target = folder / dataset / f"{split}.jsonl"
    target.parent.mkdir(parents=True)
    lines = [json.dumps(_row(dataset, there[one])) for one in wanted]
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return target.parent


def _questions(dataset: str, split: str, data_path: Path | None) -> Sequence[Question]:
    source = load_questions(dataset, split=split, data_path=data_path)
    return [source[index] for index in range(len(source))]


def _row(dataset: str, question: Question) -> dict[str, str]:
    """Return a row of the data set that is read as ``question`` again."""
    fields = PRESETS[dataset].fields
    pieces = question.text.split(" ", len(fields.question) - 1)
    return {**dict(zip(fields.question, pieces, strict=True)), fields.answer: question.gold}
