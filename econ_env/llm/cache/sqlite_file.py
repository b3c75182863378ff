"""An SQLite file that many processes write at once: opening, checking, and clear errors.

A file is recognised by the application id and the schema version in its header, so that a
database of another program is never changed. It uses SQLite's write-ahead log, in which readers
and a writer do not wait for each other. The log works on local disks, not on network file systems.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from econ_env.llm.types import ModelError
from econ_files.private import create_privately

BUSY_TIMEOUT_S = 60.0
"""Longest wait for other processes to finish writing, in seconds."""


class StoreError(ModelError):
    """A completion cache cannot be read or written; the message names its file."""


@dataclass(kw_only=True)
class _Session:
    """State of the file in one process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: sqlite3.Connection | None = None


class StoreFile:
    """The file of a completion cache. Safe for threads, for processes, and across a fork.

    Args:
        path: the file; it is created, with its folders, unless ``read_only``.
        schema: statements that create its tables if they are missing.
        application_id: mark of this kind of file in its header.
        version: version of the schema, also in the header.
        read_only: the file must exist, and nothing is added to it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        schema: str,
        application_id: int,
        version: int,
        read_only: bool,
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self._schema = (
            f"BEGIN IMMEDIATE;\n{schema}\nPRAGMA application_id = {application_id};\n"
            f"PRAGMA user_version = {version};\nCOMMIT;"
        )
        self._application_id = application_id
        self._version = version
        self._read_only = read_only
        # By process id: SQLite forbids using a connection in a forked child. The parent's one
        # stays here untouched, and its lock, which another thread may hold, is not waited for.
        self._sessions: dict[int, _Session] = {}

    def close(self) -> None:
        """Close the file. May be called twice; a later use opens it again."""
        session = self._session()
        with session.lock:
            if session.connection is not None:
                session.connection.close()
                session.connection = None

    def _session(self) -> _Session:
        # setdefault is atomic, so the threads of a process agree on one session.
        return self._sessions.setdefault(os.getpid(), _Session())

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """Provide the open file for this thread alone. Each statement is a transaction of its own.

        Raises:
            StoreError: the file cannot be used; errors of SQLite are turned into this one.
        """
        session = self._session()
        with session.lock:
            try:
                if session.connection is None:
                    session.connection = self._open()
                yield session.connection
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def _open(self) -> sqlite3.Connection:
        if self.path.is_dir():
            raise StoreError(f"cache_path names the folder {self.path}: name a file in it")
        if self._read_only:
            return self._open_read_only()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the folder of the completion cache {self.path} cannot be made: {error}"
            ) from error
        # SQLite gives the files beside this one (-wal, -shm) the same mode.
        with suppress(OSError):  # SQLite says below what is wrong
            create_privately(self.path)
        connection = self._connect("rwc")
        try:
            if not self._is_ours(connection):
                _use_write_ahead_log(connection)
                connection.executescript(self._schema)
            # A killed process leaves the file consistent; a power cut may cost the last entries.
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_read_only(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise StoreError(
                f"there is no completion cache {self.path} to replay: record one first with "
                "cache='read_write', or correct cache_path"
            )
        wal = self.path.with_name(self.path.name + "-wal")
        modes = ["ro"]
        if not wal.exists():
            # Reading creates files beside this one, which a folder may not allow. Without a log,
            # the file holds everything and can be read as it is.
            modes.append("ro&immutable=1")
        for mode in modes:
            connection = self._connect(mode)
            try:
                if self._is_ours(connection):
                    return connection
            except sqlite3.OperationalError:
                connection.close()
                if mode == modes[-1]:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                connection.close()
                raise StoreError(f"the completion cache {self.path} is empty: record first")
        raise AssertionError("one of the modes returns or raises")

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        """Return True if the file already has this schema, False if it is empty."""
        connection.execute("PRAGMA trusted_schema = OFF")
        # One transaction, because another process may be creating the tables right now.
        connection.execute("BEGIN")
        application, version, tables = [
            connection.execute(query).fetchone()[0]
            for query in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        ]
        connection.execute("COMMIT")
        if application == self._application_id:
            if version != self._version:
                raise StoreError(
                    f"the completion cache {self.path} has schema version {version}, and this "
                    f"econ_env reads version {self._version}: name another cache_path"
                )
            return True
        if tables:
            raise StoreError(
                f"{self.path} is a database of another program, not a completion cache: name "
                "another cache_path"
            )
        return False

    def damaged(self, what: str, why: object) -> StoreError:
        """Return the error for content ``what`` that is not as this package writes it."""
        return StoreError(
            f"{self.path}: {what} is damaged or was not written by econ_env ({why}). Name another "
            "cache_path, or delete the file and record again."
        )

    def _explained(self, error: sqlite3.Error) -> StoreError:
        # An operational error does not mean damage; only the base class itself does.
        if type(error) is sqlite3.DatabaseError:
            return self.damaged("the file", error)
        return StoreError(f"the completion cache {self.path} cannot be used: {error}")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch a new file to the write-ahead log."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while not _switched(connection, last=time.monotonic() > deadline):
        time.sleep(0.01)


def _switched(connection: sqlite3.Connection, *, last: bool) -> bool:
    """Try to switch; False if another process holds the file, because SQLite does not wait then."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError:
        if last:
            raise
        return False
    return True
