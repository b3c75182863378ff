"""Records kept line by line, so that an interrupted comparison loses one batch at most."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.comparison.records import Record
from benchmarks.errors import BenchmarkError
from econ_agents.atomic_files import sync_folder

RECORDS_FILE = "records.jsonl"
"""Name of the file, in the folder of a comparison."""

Key = tuple[str, int, str]
"""Method, seed and question: see :attr:`Record.key`."""


class StoreError(BenchmarkError):
    """A file of records cannot be read; the message says where, and what to do."""


class Records(Protocol):
    """Where records are kept and found again."""

    def get(self, key: Key) -> Record | None:
        """The record of a method, a seed and a question; None if there is none."""

    def add(self, records: Sequence[Record]) -> None:
        """Keep records; one that has the key of an earlier one replaces it."""

    def all(self) -> list[Record]:
        """Every record, the latest of each key."""


class Memory:
    """:class:`Records` that end with the process.

    Args:
        records: kept from the beginning.
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
    """:class:`Records` in a file, one JSON object per line; the later line of a key counts.

    What was added is on the disk when :meth:`add` returns. A process that is killed while it
    writes leaves at most one line without an end: it is dropped when the file is opened next. One
    process may use a file at a time.

    Args:
        path: of the file; made, with its folder, where it does not exist.

    Raises:
        StoreError: a whole line is no record.
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
                f"{where} is no record of this version ({error}): remove the line, and what it "
                "held is answered again"
            ) from error
