"""Fewer switches between threads while hundreds of them wait for answers.

A thread that waits for the interpreter's lock asks for it once every switch interval (5 ms by
default). Hundreds that do so at once take more of the processor than the requests themselves. The
threads of a client give the lock up by themselves whenever they send or read, so a longer interval
takes nothing from them. It holds for the whole process: a thread that computes in Python without a
pause is interrupted later.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 256
"""Number of requests in flight from which switches are made rare."""
INTERVAL_S = 0.1
"""Switch interval meanwhile, in seconds."""


class _Users:
    """Calls that want rare switches; the last one to end restores the interval."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._before_s = 0.0

    def enter(self) -> None:
        with self._lock:
            if self._count == 0:
                self._before_s = sys.getswitchinterval()
                sys.setswitchinterval(max(self._before_s, INTERVAL_S))
            self._count += 1

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                sys.setswitchinterval(self._before_s)


_users = _Users()


@contextmanager
def switches_for(in_flight: int) -> Iterator[None]:
    """Make switches between threads rare inside the block, if so many requests are in flight."""
    if in_flight < MANY:
        yield
        return
    _users.enter()
    try:
        yield
    finally:
        _users.leave()
