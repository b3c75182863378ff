"""Reading of the rows of a data file, one at a time, each with its line or row number.

The extension of the file name decides between four formats: ``.jsonl``, ``.json``, ``.parquet``
and ``.csv``. JSON lines and csv are streamed; every error names the file and the line or row.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from econ_env.questions.base import QuestionError

Row = tuple[int, dict[str, Any]]
"""Line (text formats) or row (json, parquet) counted from 1, and the fields of the row."""


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of the file at ``path``, in the order of the file.

    Raises:
        QuestionError: the file is missing, of another format, not readable or malformed.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise QuestionError(
            f"{path}: cannot read a file with the extension {path.suffix!r}; "
            f"accepted are {', '.join(_READERS)}"
        )
    if not path.is_file():
        raise QuestionError(
            f"{path}: no such file (looked at {path.resolve()}); check the path of the data set"
        )
    try:
        yield from reader(path)
    except OSError as error:
        raise QuestionError(f"{path}: cannot be read: {error}") from error


def unit(path: Path) -> str:
    """Unit of a row number of this file: ``"line"`` or ``"row"``."""
    return "line" if path.suffix.lower() in (".jsonl", ".csv") else "row"


def _lines(path: Path) -> Iterator[str]:
    """Yield decoded lines, split at line feeds only: JSON text may hold other line breaks."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            yield _decoded(raw, number, path)


def _decoded(raw: bytes, number: int, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise QuestionError(
            f"{path}, line {number}: not UTF-8 text (byte {raw[error.start]:#04x} at "
            f"column {error.start + 1}); save the file as UTF-8"
        ) from error


def _jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), 1):
        if line.isspace() or not line:
            continue
        where = f"{path}, line {number}"
        yield number, _object(_parsed(line, where), where)


def _json(path: Path) -> Iterator[Row]:
    data = _parsed("".join(_lines(path)), str(path))
    if not isinstance(data, list):
        raise QuestionError(
            f"{path}: a .json file must hold one list of objects, not {type(data).__name__}; "
            "a file with one object per line is named .jsonl"
        )
    for number, row in enumerate(data, 1):
        yield number, _object(row, f"{path}, row {number}")


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QuestionError(
            f"{where}: not valid JSON: {error}; a .jsonl file holds one object per line, "
            "a .json file one list of objects"
        ) from error


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise QuestionError(f"{where}: a row must be a JSON object, not {type(value).__name__}")
    return value


def _csv(path: Path) -> Iterator[Row]:
    reader = csv.reader(_lines(path), strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise QuestionError(f"{path}, line 1: a column name occurs twice in {header}")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise QuestionError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells, but the header names "
                    f"{len(header)} columns; quote cells that hold a comma or a line break"
                )
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise QuestionError(f"{path}, line {reader.line_num}: not valid csv: {error}") from error


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pyarrow.ArrowException as error:
        raise QuestionError(f"{path}: not a valid parquet file: {error}") from error


_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".parquet": _parquet,
    ".csv": _csv,
}
SUFFIXES = tuple(_READERS)
"""Extensions of the file names that :func:`read_rows` accepts."""
