"""Ctrl-C at a moment that suits: never in the middle of an update."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep a Ctrl-C that comes inside until the end, and let it do there what it would have done.

    That is to raise ``KeyboardInterrupt``, or nothing in a process that ignores it, as one in the
    background may. If what is inside raises, that comes first, and the Ctrl-C is dropped: the
    program is ending anyway. What is inside should take seconds at most. Only the main thread may
    use it, since only that one gets signals.
    """
    pressed = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)
