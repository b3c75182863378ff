"""Ctrl-C at a moment that suits: never in the middle of an update."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep a Ctrl-C that comes inside until the end, and raise ``KeyboardInterrupt`` there.

    What is inside should take seconds at most. Only the main thread may use it, since only that
    one gets signals.
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
            raise KeyboardInterrupt
