"""Reading of the rows of a data file, one at a time, each with its line or row number.

The extension of the file name decides between five formats: ``.jsonl``, ``.json``, ``.parquet``,
``.csv`` and ``.arrow``. JSON lines and csv are streamed; every error names the file and the line or
row. A single row that is malformed is yielded as its error, so that the rows behind it are read.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from econ_env.questions.base import QuestionError

Row = tuple[int, dict[str, Any] | QuestionError]
"""Line (text formats) or row (json, parquet, arrow) counted from 1, and the fields of the row; an
error instead of the fields says how this one row is malformed."""
_LISTS = ("data", "rows", "examples", "questions", "items", "instances")
"""Names under which a .json file may hold its list."""
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_NO_SPACE = re.compile(r"\S")


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
        _refuse_pointer(path)
        yield from reader(path)
    except OSError as error:
        raise QuestionError(f"{path}: cannot be read: {error}") from error


def _refuse_pointer(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise QuestionError(
                f"{path}: only a pointer to the file is here, as git leaves it without LFS; run "
                "`git lfs pull` in that folder"
            )


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
        try:
            yield number, _object(_parsed(line, where), where)
        except QuestionError as fault:
            yield number, fault


def _json(path: Path) -> Iterator[Row]:
    text = "".join(_lines(path))
    for number, row in enumerate(_listed(_json_values(text, path), path), 1):
        try:
            yield number, _object(row, f"{path}, row {number}")
        except QuestionError as fault:
            yield number, fault


def _json_values(text: str, path: Path) -> list[Any]:
    """The values of a text that holds one or, as JSON lines do, several one after the other."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError) as error:
        if not text.lstrip().startswith("{"):
            raise _invalid(str(path), error) from error
    decoder, values, position = json.JSONDecoder(), list[Any](), 0
    while (position := _next_value(text, position)) < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise _invalid(str(path), error) from error
        values.append(value)
    return values


def _next_value(text: str, position: int) -> int:
    found = _NO_SPACE.search(text, position)
    return len(text) if found is None else found.start()


def _listed(values: list[Any], path: Path) -> list[Any]:
    """The rows that the values of a .json file stand for."""
    if len(values) != 1:
        return values
    (data,) = values
    if isinstance(data, list):
        return data
    if isinstance(data, dict):
        lists = {name: value for name, value in data.items() if _is_list_of_rows(value)}
        named = [lists[name] for name in _LISTS if name in lists] or list(lists.values())
        if len(named) == 1 or (named and set(lists) & set(_LISTS)):
            return list(named[0])
        if named:
            raise QuestionError(
                f"{path}: the object holds several lists of objects ({', '.join(lists)}); keep "
                f"one, or call the right one {_LISTS[0]!r}"
            )
        if not any(isinstance(value, dict | list) for value in data.values()):
            return [data]
    raise QuestionError(
        f"{path}: a .json file must hold one list of objects, alone or under {_LISTS[0]!r}, or one "
        f"object per line, not {'an object without such a list' if data else 'one empty value'}"
        if isinstance(data, dict)
        else f"{path}: a .json file must hold one list of objects, not {type(data).__name__}"
    )


def _is_list_of_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(where, error) from error


def _invalid(where: str, error: Exception) -> QuestionError:
    return QuestionError(
        f"{where}: not valid JSON: {error}; a .jsonl file holds one object per line, "
        "a .json file one list of objects"
    )


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
                yield (
                    reader.line_num,
                    QuestionError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells, but the header names "
                        f"{len(header)} columns; quote cells that hold a comma or a line break"
                    ),
                )
                continue
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


def _arrow(path: Path) -> Iterator[Row]:
    """A file that ``datasets`` keeps: a stream of record batches."""
    import pyarrow

    number = 0
    try:
        with pyarrow.OSFile(str(path)) as file, pyarrow.ipc.open_stream(file) as batches:
            for batch in batches:
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pyarrow.ArrowException as error:
        raise QuestionError(f"{path}: not a valid arrow file: {error}") from error


_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".parquet": _parquet,
    ".csv": _csv,
    ".arrow": _arrow,
}
SUFFIXES = tuple(_READERS)
"""Extensions of the file names that :func:`read_rows` accepts."""
