"""Files of games: transcripts as JSON lines, traces of a test, logs of the named scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from econ_pages.errors import PageError
from econ_pages.games import Game
from econ_pages.transcripts import Judge, read_game

TRACES, LOGS = "llm_traces_*.json", "logs_*_test_*.json"
"""Patterns of the names of the traces of a test, and of the logs of a named script."""
IN_A_RUN = (LOGS, TRACES, "*.jsonl")
"""Patterns of the names of files in the folder of a run that may hold games."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Games of one or more files."""

    games: tuple[Game, ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    """Parts that were left out, in words."""


def find_games(path: Path) -> list[Path]:
    """Files with games: the file itself, or all those in the folder of a run, by name.

    Raises:
        PageError: there is no such file or folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise PageError(f"there is no file and no folder {path}")
    # A named script writes the games of its refined test twice, the second time as traces.
    patterns = [name for name in IN_A_RUN if name != TRACES or not any(path.glob(LOGS))]
    named = (file for pattern in patterns for file in sorted(path.glob(pattern)))
    return [file for file in named if file.is_file() and _begins_with_a_game(file)]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainTranscript:
    """A game as it stands in a file."""

    data: dict[str, Any]
    file: Path
    where: str
    """Its place, for messages."""
    arm: str
    """The arm of a test that it belongs to; empty outside a test."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transcripts:
    """Games of one or more files, as they stand there."""

    transcripts: tuple[PlainTranscript, ...]
    notes: tuple[str, ...]
    """Parts that were left out, in words."""


def read_transcripts(files: Sequence[Path]) -> Transcripts:
    """Read the games of files as plain data.

    A last line that was cut off, as by a full disk or Ctrl-C, is left out with a note.

    Raises:
        PageError: a file cannot be read, or holds something else; the message names the place.
    """
    found: list[PlainTranscript] = []
    notes: list[str] = []
    for file in files:
        for where, transcript, arm in _transcripts(file, notes):
            if not _is_transcript(transcript):
                raise PageError(
                    f"{where} is not a game: name a file that `econ-env play --out` has written, "
                    "the traces of a test (llm_traces_*.json), or the folder of a run"
                )
            found.append(PlainTranscript(data=transcript, file=file, where=where, arm=arm))
    return Transcripts(transcripts=tuple(found), notes=tuple(notes))


def read_games(files: Sequence[Path], *, judge: Judge | None = None) -> Found:
    """Read the games of files, numbered from 1; see :func:`read_transcripts`.

    Args:
        files: files as of :func:`find_games`.
        judge: see :func:`econ_pages.transcripts.read_game`.

    Raises:
        PageError: a file cannot be read, or holds something else; the message names the place.
    """
    found = read_transcripts(files)
    games = [
        read_game(
            one.data,
            number=i,
            source=one.file.name,
            where=one.where,
            judge=judge,
            arm=one.arm,
        )
        for i, one in enumerate(found.transcripts, 1)
    ]
    return Found(games=tuple(games), files=tuple(files), notes=found.notes)


def takes_games(file: Path) -> bool:
    """Return True if games can be appended to a file of JSON lines: it is new, empty, or of games.

    Raises:
        OSError: it cannot be read.
    """
    if not file.exists():
        return True
    with file.open(encoding="utf-8", errors="replace") as lines:
        first = lines.readline()
    return not first.strip() or _is_transcript(_parsed(first))


def _begins_with_a_game(file: Path) -> bool:
    """Return True unless a file of JSON lines begins with something else, as metrics do."""
    if file.suffix != ".jsonl":
        return True
    with file.open(encoding="utf-8", errors="replace") as lines:
        first = lines.readline()
    try:
        return _is_transcript(json.loads(first))
    except (ValueError, RecursionError):
        return False


def _is_transcript(data: Any) -> bool:
    return isinstance(data, dict) and "question" in data and "decisions" in data


def _transcripts(file: Path, notes: list[str]) -> Iterator[tuple[str, Any, str]]:
    """Yield the place, the plain data and the arm of every transcript in a file."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PageError(f"{file} is not text in UTF-8, so it holds no games ({error})") from error
    whole = _parsed(text)
    if isinstance(whole, dict) and "episodes" in whole:
        whole = whole["episodes"]
    if isinstance(whole, list):
        for i, item in enumerate(whole):
            record = item if isinstance(item, dict) else {}
            arm = record.get("arm")
            inner = record.get("transcript", item)
            yield f"{file}[{i}]", inner, arm if isinstance(arm, str) else ""
        return
    # Not splitlines(): texts may hold other line breaks than the one that ends a record.
    lines = text.split("\n")
    for i, line in enumerate(lines, 1):
        if not line.strip():
            continue
        data = _parsed(line)
        if data is None and 1 < i == len(lines):
            notes.append(f"{file}:{i} was cut off and is left out")
        else:
            yield f"{file}:{i}", data, ""


def _parsed(text: str) -> Any:
    """Plain data of JSON text; None if it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
