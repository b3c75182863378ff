"""A line that says what is waited for, so that a slow model does not look like a hang."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tqdm import tqdm

from econ_console.progress import LINE_INTERVAL_S

PLAIN_INTERVAL_S = LINE_INTERVAL_S
"""Seconds between two lines if stderr is not a terminal."""
LIVE_INTERVAL_S = 0.5
"""Seconds between two updates of the line on a terminal."""


class WaitingLine:
    """The cause of a wait, on stderr: one line, updated, on a terminal, else line after line.

    Nothing is shown while there is nothing to say. Texts that stay are printed with :meth:`write`.
    To be used as a context.

    Args:
        say: returns what is waited for, or "". It is called in another thread.
        interval_s: seconds between two lines; None: :data:`PLAIN_INTERVAL_S`, or
            :data:`LIVE_INTERVAL_S` on a terminal.
    """

    def __init__(self, say: Callable[[], str], *, interval_s: float | None = None) -> None:
        self._say = say
        self._live = sys.stderr.isatty()
        usual_s = LIVE_INTERVAL_S if self._live else PLAIN_INTERVAL_S
        self._interval_s = usual_s if interval_s is None else interval_s
        self._bar: tqdm[Any] = tqdm(bar_format="{desc}", leave=False, disable=not self._live)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="econ-waiting-line", daemon=True)

    def __enter__(self) -> WaitingLine:
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
        self._bar.close()

    def write(self, text: str) -> None:
        """Print ``text`` as it is, to standard output, above the line."""
        self._bar.write(text, end="")
        sys.stdout.flush()

    def _repeat(self) -> None:
        while not self._ended.wait(self._interval_s):
            said = self._say()
            if self._live:
                # A line that is wider than the terminal could not be overwritten.
                width = shutil.get_terminal_size().columns
                self._bar.set_description_str(said[: width - 1])
            elif said:
                print(said, file=sys.stderr, flush=True)
