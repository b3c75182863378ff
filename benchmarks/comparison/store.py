"""Storage of records, line by line: an interrupted comparison loses at most one batch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.comparison.records import Record
from benchmarks.errors import BenchmarkError
from econ_files.durable import sync_folder

RECORDS_FILE = "records.jsonl"
"""Name of the file, in the folder of a comparison."""

Key = tuple[str, int, str]
"""Method, seed and question: see :attr:`Record.key`."""


class StoreError(BenchmarkError):
    """A file of records cannot be read; the message says where, and what to do."""


class Records(Protocol):
    """Storage of records by method, seed and question."""

    def get(self, key: Key) -> Record | None:
        """Return the record of a method, a seed and a question; None if there is none."""

    def add(self, records: Sequence[Record]) -> None:
        """Store records; a record replaces an earlier one with the same key."""

    def all(self) -> list[Record]:
        """Return all records, the latest of each key."""


class Memory:
    """:class:`Records` in memory.

    Args:
        records: records to begin with.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._kept = {record.key: record for record in records}

    def get(self, key: Key) -> Record | None:
        """See :meth:`Records.get`."""
        return self._kept.get(key)

    def add(self, records: Sequence[Record]) -> None:
        """See :meth:`Records.add`."""
        self._kept.update({record.key: record for record in records})

    def all(self) -> list[Record]:
        """See :meth:`Records.all`."""
        return list(self._kept.values())


class RecordStore:
    """:class:`Records` in a file, one JSON object per line; the last line of a key counts.

    Added records are on the disk when :meth:`add` returns. A process that is killed while it
    writes leaves at most one incomplete line, which is dropped when the file is next opened. Only
    one process at a time may use a file.

    Args:
        path: path of the file; made, with its folder, if it does not exist.

    Raises:
        StoreError: a complete line is not a record.
        OSError: the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        sync_folder(path.parent)
        whole, newline, torn = path.read_bytes().rpartition(b"\n")
        if torn:
            os.truncate(path, len(whole) + len(newline))
        lines = whole.split(b"\n") if newline else []
        self._kept = Memory([self._read(number, line) for number, line in enumerate(lines, 1)])

    def get(self, key: Key) -> Record | None:
        """See :meth:`Records.get`."""
        return self._kept.get(key)

    def add(self, records: Sequence[Record]) -> None:
        """See :meth:`Records.add`."""
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines([json.dumps(record.to_json()) + "\n" for record in records])
            file.flush()
            os.fsync(file.fileno())
        self._kept.add(records)

    def all(self) -> list[Record]:
        """See :meth:`Records.all`."""
        return self._kept.all()

    def _read(self, number: int, line: bytes) -> Record:
        where = f"{self._path}, line {number}"
        try:
            return Record.from_json(json.loads(line), where)
        except (ValueError, RecursionError) as error:
            raise StoreError(
                f"{where} is not a record of this version ({error}): remove the line, and its "
                "question is answered again"
            ) from error
