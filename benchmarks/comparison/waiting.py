"""Progress that goes on while a model is waited for, so that a slow one looks like no hang."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from econ_agents.logging.progress import Progress
from econ_env.llm.in_flight import InFlight

INTERVAL_S = 1.0
"""Seconds between two looks at the requests in flight; the display shows what is due."""


class Waiting:
    """The present work, with the requests that it waits for, on a display. To be used as a context.

    An example: ``round 1 of 12 questions; 36 requests in flight, slowest 42 s``. All access to the
    display goes through this object, since a thread of its own writes to it too.

    Args:
        progress: the display.
        in_flight: returns the requests in flight; called in another thread.
    """

    def __init__(self, progress: Progress, in_flight: Callable[[], InFlight]) -> None:
        self._progress = progress
        self._in_flight = in_flight
        self._phase = ""
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="econ-waiting", daemon=True)

    def __enter__(self) -> Waiting:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def phase(self, text: str) -> None:
        """Show what is done from now on."""
        with self._lock:
            self._phase = text
            self._progress.phase(text)

    def advance(self, count: int) -> None:
        """Show that ``count`` more are done."""
        with self._lock:
            self._progress.advance(count)

    def _repeat(self) -> None:
        while not self._ended.wait(INTERVAL_S):
            waited_for = self._in_flight()
            if waited_for.requests:
                with self._lock:
                    self._progress.phase(f"{self._phase}; {waited_for}")
