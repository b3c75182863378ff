"""Progress that goes on while a model is waited for, so that a slow one looks like no hang."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from econ_agents.logging.progress import Progress
from econ_env.llm.in_flight import InFlight

INTERVAL_S = 1.0
"""Seconds between two looks at the requests in flight; the display shows what is due."""


class Waiting:
    """The present work and the requests that it waits for; see :func:`opened_waiting`.

    All access to the display goes through this object, since two threads write to it.
    """

    def __init__(self, progress: Progress, in_flight: Callable[[], InFlight]) -> None:
        self._progress = progress
        self._in_flight = in_flight
        self._phase = ""
        self._lock = threading.Lock()

    def phase(self, text: str) -> None:
        """Show what is done from now on."""
        with self._lock:
            self._phase = text
            self._progress.phase(text)

    def advance(self, count: int) -> None:
        """Show that ``count`` more are done."""
        with self._lock:
            self._progress.advance(count)

    def tell(self) -> None:
        """Show the requests in flight, if there are any."""
        waited_for = self._in_flight()
        if waited_for.requests:
            with self._lock:
                self._progress.phase(f"{self._phase}; {waited_for}")


@contextmanager
def opened_waiting(progress: Progress, in_flight: Callable[[], InFlight]) -> Iterator[Waiting]:
    """Tell every second, for the time of a block, which requests are waited for.

    An example: ``round 1 of 12 questions; 36 requests in flight, slowest 42 s``.

    Args:
        progress: the display.
        in_flight: returns the requests in flight; called in another thread.
    """
    waiting = Waiting(progress, in_flight)
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(INTERVAL_S):
            waiting.tell()

    thread = threading.Thread(target=repeat, name="econ-waiting", daemon=True)
    thread.start()
    try:
        yield waiting
    finally:
        ended.set()
        thread.join()
