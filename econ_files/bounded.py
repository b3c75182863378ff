"""Files that may come from somebody else, read within bounds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# Windows has none of the first three, and translates line ends without the last.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)


class Unreadable(Exception):
    """A file is not read; the message continues after its name."""


def read_regular(path: Path, limit: int, *, follow_links: bool = False) -> bytes:
    """Read a whole file that may come from somebody else.

    Devices, pipes and folders are refused without waiting for them, and links too, since they lead
    anywhere. At most ``limit`` bytes are ever in memory.

    Raises:
        Unreadable: it cannot be opened, is no regular file, or has more than ``limit`` bytes.
    """
    try:
        if not follow_links and path.is_symlink():
            raise Unreadable("is a link, which may lead anywhere: put the file itself there")
        flags = os.O_RDONLY | _NO_WAIT | _BINARY | (0 if follow_links else _NO_FOLLOW)
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise Unreadable("is not a regular file")
            if found.st_size > limit:
                raise Unreadable(f"has {found.st_size:,} bytes, and at most {limit:,} are read")
            data = file.read(found.st_size + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unreadable(f"cannot be read: {reason}") from error
    if len(data) > found.st_size:
        raise Unreadable("grew while it was read")
    return data
