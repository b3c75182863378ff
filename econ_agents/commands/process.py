"""Changes of the process while a command runs: hosts that may get keys, modes of new files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

ALLOWED_HOSTS_VARIABLE = "ECON_ALLOW_KEY_FOR"
"""Environment variable with the hosts that keys of model servers may go to besides their own.

The environment of the game reads it. It is a variable of the process, as the keys are, so that no
configuration and no checkpoint can set it."""
_NOT_FOR_OTHERS = 0o077


@contextmanager
def keys_allowed_for(hosts: Sequence[str]) -> Iterator[None]:
    """Add hosts, ``HOST`` or ``HOST:PORT``, to those that may get keys, in the context."""
    before = os.environ.get(ALLOWED_HOSTS_VARIABLE)
    os.environ[ALLOWED_HOSTS_VARIABLE] = ",".join(filter(None, (before, *hosts)))
    try:
        yield
    finally:
        if before is None:
            del os.environ[ALLOWED_HOSTS_VARIABLE]
        else:
            os.environ[ALLOWED_HOSTS_VARIABLE] = before


@contextmanager
def private_files() -> Iterator[None]:
    """Make every new file readable by its owner only, those of libraries too, in the context."""
    before = os.umask(_NOT_FOR_OTHERS)
    try:
        yield
    finally:
        os.umask(before)
