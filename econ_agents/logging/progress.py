"""Progress of a run: one live line in a terminal, plain lines at intervals in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TextIO

from tqdm import tqdm

PLAIN_INTERVAL_S = 30.0
"""Seconds between two plain lines, used if stderr is not a terminal."""

_SHOWN = {
    "collection/reward_mean": "reward {:.3f}",
    "collection/accuracy": "accuracy {:.1%}",
    "eval/nash_conv": "NashConv {:.3f}",
    "collection/tokens": "tokens {:,.0f}",
}
_ALPHA = "train/alpha_"
_BAR = "{desc} {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]{postfix}"


class Progress(Protocol):
    """Progress display of a run."""

    def update(self, episodes: int, metrics: Mapping[str, float]) -> None:
        """Show the number of ``episodes`` done since the start of the run, with ``metrics``.

        ``metrics`` may have any names. A value is shown until it is measured again.
        """

    def note(self, text: str) -> None:
        """Print a text that stays visible."""

    def close(self) -> None:
        """End the display and leave its last state visible."""


def open_progress(
    *, description: str, total: int, done: int, stream: TextIO | None = None
) -> Progress:
    """Open a display for ``total`` episodes, of which an earlier process has played ``done``.

    It is shown on ``stream`` (None: stderr), as a live line if that is a terminal.
    """
    stream = sys.stderr if stream is None else stream
    if stream.isatty():
        return LiveLine(description=description, total=total, done=done, stream=stream)
    return PlainLines(description=description, total=total, done=done, stream=stream)


def summary(metrics: Mapping[str, float]) -> str:
    """Summary of ``metrics`` for one line: ``reward 0.512, accuracy 62.5%, …``."""
    parts = [text.format(metrics[name]) for name, text in _SHOWN.items() if name in metrics]
    alpha = [
        f"{name.removeprefix(_ALPHA)} {value:.2f}"
        for name, value in metrics.items()
        if name.startswith(_ALPHA)
    ]
    return ", ".join([*parts, f"α {' '.join(alpha)}"] if alpha else parts)


class LiveLine:
    """Live line in a terminal, which is overwritten again and again; see :func:`open_progress`."""

    def __init__(self, *, description: str, total: int, done: int, stream: TextIO) -> None:
        self._metrics: dict[str, float] = {}
        self._bar = tqdm(
            desc=description,
            total=total,
            initial=done,
            unit=" episodes",
            file=stream,
            bar_format=_BAR,
            dynamic_ncols=True,
        )

    def update(self, episodes: int, metrics: Mapping[str, float]) -> None:
        """Show the new state, at most once in a tenth of a second."""
        self._metrics.update(metrics)
        self._bar.set_postfix_str(summary(self._metrics), refresh=False)
        self._bar.update(episodes - self._bar.n)

    def note(self, text: str) -> None:
        """Write ``text`` above the line."""
        self._bar.write(text, file=self._bar.fp)

    def close(self) -> None:
        """End the display and leave its last state as a line."""
        self._bar.refresh()
        self._bar.close()


class PlainLines:
    """Plain lines every :data:`PLAIN_INTERVAL_S` seconds and at the end; see :func:`open_progress`.

    Args:
        description: text at the beginning of each line.
        total: number of episodes of the run.
        done: number of episodes that an earlier process has played.
        stream: text stream for the lines.
        clock: monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        description: str,
        total: int,
        done: int,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._description = description
        self._total = total
        self._stream = stream
        self._clock = clock
        self._begin = self._shown_at = clock()
        self._done_before = self._episodes = self._shown = done
        self._metrics: dict[str, float] = {}

    def update(self, episodes: int, metrics: Mapping[str, float]) -> None:
        """Write a line if the last one was written long enough ago."""
        self._metrics.update(metrics)
        self._episodes = episodes
        if self._clock() - self._shown_at >= PLAIN_INTERVAL_S:
            self._show()

    def note(self, text: str) -> None:
        """Write ``text`` as a line."""
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Write the last state, unless it was written already."""
        if self._shown != self._episodes:
            self._show()

    def _show(self) -> None:
        self._shown, self._shown_at = self._episodes, self._clock()
        seconds = max(self._shown_at - self._begin, 1e-9)
        rate = (self._episodes - self._done_before) / seconds
        state = f"{self._description} {self._episodes}/{self._total}, {rate:.2f} episodes/s"
        self.note(", ".join(filter(None, [state, summary(self._metrics)])))
