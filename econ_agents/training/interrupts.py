"""Deferral of Ctrl-C, so that it never interrupts an update half-way."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Defer a Ctrl-C that comes inside the context to its end.

    There it takes its usual effect: it raises ``KeyboardInterrupt``, or does nothing in a process
    that ignores it, as a background process may. If the code inside raises, the Ctrl-C is dropped,
    since the program is ending anyway. The code inside should take seconds at most. Only the main
    thread may use this context, since only that thread receives signals.
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
