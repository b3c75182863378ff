"""One file of completions, for any number of processes at once.

It has three tables: completions by the key of their request, facts about the models, and token
counts of texts. Every write is a short transaction of its own, and entries never change: the first
process to store a key decides its value, and all others get that value. So a process that is killed
loses only its unfinished requests, and two processes that compute the same request agree on its
answer.

The file holds only data: texts and numbers, read strictly; nothing in it is executed. It is kept on
purpose in place of a library for caches: those expire entries, let the last writer win, or unpickle
their data, and a recording is published, read by strangers, and never changes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from econ_env.llm.cache.sqlite_file import StoreError, StoreFile
from econ_env.llm.types import MAX_COUNT, Completion
from econ_env.record_json import from_plain, to_plain

__all__ = ["CompletionStore", "ModelFacts", "StoreError", "default_cache_path"]

APPLICATION_ID = 0x45434F4E
"""Mark of a completion cache ("ECON" in the file's header)."""

SCHEMA_VERSION = 1

MAX_ENTRY_CHARACTERS = 16 * 2**20
"""Longest completion, as JSON, that is stored or read: an entry never fills the memory."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS completions (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, role TEXT NOT NULL,
    request TEXT NOT NULL, completion TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS models (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, settings TEXT NOT NULL,
    version TEXT NOT NULL, context_limit INTEGER, tokens_per_message INTEGER NOT NULL,
    UNIQUE (name, settings, version)
);
CREATE TABLE IF NOT EXISTS token_counts (
    model TEXT NOT NULL, text TEXT NOT NULL, tokens INTEGER NOT NULL, PRIMARY KEY (model, text)
) WITHOUT ROWID;
"""

_FILE = "completions.sqlite"
_FACTS = ("version", "context_limit", "tokens_per_message")


def default_cache_path() -> Path:
    """Return the path of the cache file that is used unless a path is given.

    It is ``completions.sqlite`` in the folder that ``ECON_CACHE`` names. Without that variable it
    is the file in ``econ_env`` below ``XDG_CACHE_HOME`` or ``~/.cache`` if it exists there already,
    else the one in the system's folder for caches, which is the same one under Linux.
    """
    folder = os.environ.get("ECON_CACHE")
    if folder:
        return Path(folder).expanduser() / _FILE
    # The location on all systems before each got its own folder.
    former = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "econ_env" / _FILE
    if former.is_file():
        return former
    return user_cache_path("econ_env", appauthor=False) / _FILE


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFacts:
    """Facts about a model that a game needs before its first request."""

    name: str
    settings: str
    """Canonical JSON of the settings that change its answers."""
    version: str
    """Identifies anything else that changes its answers, such as a digest of its weights; or ""."""
    context_limit: int | None
    tokens_per_message: int

    def __post_init__(self) -> None:
        for count in (self.context_limit, self.tokens_per_message):
            if count is not None and not 0 <= count <= MAX_COUNT:
                raise ValueError(f"{count} is not a number of tokens")


class CompletionStore:
    """A file of completions. Safe for threads, for processes, and across a fork.

    Args:
        path: the file; it is created, with its folders, unless ``read_only``.
        read_only: the file must exist, and nothing is added to it.

    Every method raises :class:`StoreError` if the file cannot be used: it is damaged, belongs to
    another program, has another schema version, or stays locked for a minute.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self._file = StoreFile(
            path,
            schema=_SCHEMA,
            application_id=APPLICATION_ID,
            version=SCHEMA_VERSION,
            read_only=read_only,
        )
        self.path = self._file.path

    def get(self, key: str) -> Completion | None:
        """Return the completion of the request with this key; None if there is none."""
        with self._file.use() as connection:
            row = connection.execute(
                "SELECT CASE WHEN length(completion) <= ? THEN completion END FROM completions "
                "WHERE key = ?",
                (MAX_ENTRY_CHARACTERS, key),
            ).fetchone()
        if row is None:
            return None
        if row[0] is None:
            raise self._file.damaged(f"the completion {key}", "it is too long")
        try:
            return from_plain(Completion, json.loads(row[0]), "completion")
        except (ValueError, TypeError, RecursionError) as error:
            raise self._file.damaged(f"the completion {key}", error) from None

    def put(
        self, key: str, request: str, completion: Completion, *, model: str, role: str
    ) -> Completion:
        """Store a completion, unless the key is taken: entries never change.

        Args:
            key: of the request.
            request: the request as JSON, for people who look into the file.
            completion: a successful one.
            model: name of the model.
            role: role of the request.

        Returns:
            The completion under this key: ``completion``, or one that was stored before.

        Raises:
            ValueError: the completion failed; failures are never stored.
        """
        if completion.error is not None or completion.finish_reason == "error":
            raise ValueError(f"a failed completion is never stored: {completion.error}")
        text = json.dumps(to_plain(completion))
        if len(text) > MAX_ENTRY_CHARACTERS:
            raise StoreError(
                f"a completion of {model!r} has {len(text)} characters as JSON, and "
                f"{self._file.path} takes at most {MAX_ENTRY_CHARACTERS}: let the model keep to "
                "max_tokens"
            )
        with self._file.use() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO completions VALUES (?, ?, ?, ?, ?)",
                (key, model, role, request, text),
            )
        return completion if cursor.rowcount else self.get(key) or completion

    def count(self, model: str) -> int:
        """Return the number of stored completions of the model with this name."""
        with self._file.use() as connection:
            row = connection.execute(
                "SELECT count(*) FROM completions WHERE model = ?", (model,)
            ).fetchone()
        return int(row[0])

    def facts(self, name: str, settings: str, version: str | None = None) -> ModelFacts | None:
        """Return the facts about a model; without a ``version``, those noted last."""
        query = (
            f"SELECT {', '.join(_FACTS)} FROM models "  # noqa: S608 - names written above
            "WHERE name = ? AND settings = ? AND (version = ? OR ? IS NULL) "
            "ORDER BY number DESC LIMIT 1"
        )
        with self._file.use() as connection:
            row = connection.execute(query, (name, settings, version, version)).fetchone()
        if row is None:
            return None
        found = {"name": name, "settings": settings, **dict(zip(_FACTS, row, strict=True))}
        try:
            return from_plain(ModelFacts, found, "model")
        except ValueError as error:
            raise self._file.damaged(f"the model {name!r}", error) from None

    def note(self, facts: ModelFacts) -> None:
        """Store the facts about a model, and mark them as noted last."""
        values = (facts.name, facts.settings, facts.version)
        limits = (facts.context_limit, facts.tokens_per_message)
        with self._file.use() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO models (name, settings, version, context_limit, "
                "tokens_per_message) VALUES (?, ?, ?, ?, ?)",
                (*values, *limits),
            )

    def token_count(self, model: str, text: str) -> int | None:
        """Return the tokens of a text, both given by their keys; None if never counted."""
        with self._file.use() as connection:
            row = connection.execute(
                "SELECT tokens FROM token_counts WHERE model = ? AND text = ?", (model, text)
            ).fetchone()
        if row is None:
            return None
        if not isinstance(row[0], int) or not 0 <= row[0] <= MAX_COUNT:
            raise self._file.damaged(f"the token count of {text}", f"{row[0]!r} is not a number")
        return row[0]

    def keep_token_count(self, model: str, text: str, tokens: int) -> None:
        """Store the number of tokens of a text, both given by their keys."""
        with self._file.use() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO token_counts VALUES (?, ?, ?)", (model, text, tokens)
            )

    def close(self) -> None:
        """Close the file. May be called twice; a later use opens it again."""
        self._file.close()
