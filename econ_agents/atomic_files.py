"""Files that survive a crash: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` and return once the disk has it.

    A crash in between leaves a part of the file: for what must never be seen in parts, see
    :func:`replace_file`.
    """
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Let ``path`` hold ``data``: whoever reads it, at any moment, sees the old or the new one."""
    beside = path.with_name(f".{path.name}.new")
    write_durably(beside, data)
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Return once the disk has the names of the files in ``folder``."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
