"""Files that only their owner can read: transcripts and caches hold what people asked."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

OWNER_ONLY = 0o600
"""Mode of a new file; on systems without such modes it changes nothing."""


def append_privately(path: Path) -> IO[str]:
    """Open a text file to append to; a new one is readable by its owner only."""
    return open(path, "a", encoding="utf-8", opener=_opener)


def create_privately(path: Path) -> None:
    """Create an empty file that is readable by its owner only; an existing file is left alone."""
    with suppress(FileExistsError):
        os.close(_opener(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def _opener(path: str | os.PathLike[str], flags: int) -> int:
    return os.open(path, flags, OWNER_ONLY)
