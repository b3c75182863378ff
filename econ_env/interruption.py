"""Ctrl-C while the program is still being loaded, which takes seconds on a slow machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = "econ-env"


@contextmanager
def loading_the_program() -> Iterator[None]:
    """Let Ctrl-C in the block, imports, end the program with code 130 and a line on stderr.

    In another program that imports this package Ctrl-C stays what it is, a ``KeyboardInterrupt``.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not _is_the_program(sys.argv[0]):
            raise
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def _is_the_program(started: str) -> bool:
    """Return True for the installed program and for ``python -m econ_env``, also at its beginning.

    Args:
        started: what was started, ``sys.argv[0]``, which is "-m" until Python has found the module.
    """
    path = Path(started)
    of_package = path.name == "__main__.py" and path.parent.name == "econ_env"
    return started == "-m" or path.stem == PROGRAM or of_package
