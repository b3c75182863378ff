"""Files that survive a crash: written to a temporary file, flushed to the disk, then renamed.

They are readable by their owner only.
"""

from __future__ import annotations

import os
from pathlib import Path

from econ_files.private import replace_privately


def write_durably(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` and return once it is on the disk.

    A crash in between can leave a part of the file. Use :func:`replace_file` for files that must
    never be seen half written.
    """
    with replace_privately(path) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``: readers see either the old or the new file, never a part."""
    beside = path.with_name(f".{path.name}.new")
    write_durably(beside, data)
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Return once the names of the files in ``folder`` are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
