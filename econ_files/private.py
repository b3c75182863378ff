"""Files and folders for their owner alone: transcripts, caches and runs hold what people asked."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

OWNER_ONLY = 0o600
FOLDER_OF_OWNER = 0o700
"""Modes of new files and folders; on systems without such modes they change nothing."""

_BINARY = getattr(os, "O_BINARY", 0)  # Windows translates line ends without it


def append_privately(path: Path) -> IO[str]:
    """Open a text file to append to; a new one is readable by its owner only."""
    return open(path, "a", encoding="utf-8", opener=_opener)


def create_privately(path: Path) -> None:
    """Create an empty file that is readable by its owner only; an existing file is left alone."""
    with suppress(FileExistsError):
        os.close(_opener(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def replace_privately(path: Path) -> IO[bytes]:
    """Open a new binary file to write to that is readable by its owner only.

    An old file or link of this name is removed, so that nothing is written to where a link leads.
    """
    with suppress(FileNotFoundError):
        path.unlink()
    return os.fdopen(_opener(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY), "wb")


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it if necessary; a new one is open to its owner only."""
    path.mkdir(mode=FOLDER_OF_OWNER, parents=True, exist_ok=True)


def _opener(path: str | os.PathLike[str], flags: int) -> int:
    return os.open(path, flags, OWNER_ONLY)
