"""Progress of long work: one live line in a terminal, plain lines at intervals in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TextIO

from tqdm import tqdm

ENOUGH = 10
"""Units done from which pace and time left are told: of games side by side the first ends late, and
says little about the others."""
FIRST_LINE_S = 5.0
"""Seconds until the first plain line, used if stderr is not a terminal."""
PLAIN_INTERVAL_S = 30.0
"""Seconds between two plain lines after it."""

_SHOWN = {
    "collection/reward_mean": "reward {:.3f}",
    "collection/accuracy": "accuracy {:.1%}",
    "eval/nash_conv": "NashConv {:.3f}",
    "collection/tokens": "tokens {:,.0f}",
}
_ALPHA = "train/alpha_"
_ALPHA_MOVED = 0.005
"""Least change of a weight that its two digits show."""
_BAR = "{desc} {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"


class Progress(Protocol):
    """Progress display of work on a known number of episodes, questions or plays."""

    def update(self, done: int, metrics: Mapping[str, float]) -> None:
        """Show how many are ``done`` since the start of the run, with ``metrics``.

        ``metrics`` may have any names. A value is shown until it is measured again.
        """

    def advance(self, count: int = 1) -> None:
        """Show that ``count`` more are done."""

    def phase(self, text: str) -> None:
        """Show what is done right now, instead of metrics."""

    def note(self, text: str) -> None:
        """Print a text that stays visible."""

    def close(self) -> None:
        """End the display and leave its last state visible; notes can still be printed."""


def open_progress(
    *,
    description: str,
    total: int,
    done: int = 0,
    unit: str = "episode",
    stream: TextIO | None = None,
) -> Progress:
    """Open a display for ``total`` units, of which an earlier process has done ``done``.

    It is shown on ``stream`` (None: stderr), as a live line if that is a terminal.
    """
    stream = sys.stderr if stream is None else stream
    kind = LiveLine if stream.isatty() else PlainLines
    return kind(description=description, total=total, done=done, unit=unit, stream=stream)


@contextmanager
def opened_progress(
    *, description: str, total: int, done: int = 0, unit: str = "episode"
) -> Iterator[Progress]:
    """Open a display for the time of a block; see :func:`open_progress`."""
    progress = open_progress(description=description, total=total, done=done, unit=unit)
    try:
        yield progress
    finally:
        progress.close()


def duration(seconds: float) -> str:
    """Write a length of time as people say it: ``40 s``, ``8 min``, ``1 h 20 min``.

    >>> duration(500)
    '8 min'
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def pace(seconds: float, count: int, unit: str) -> str:
    """Write the time of one unit: ``0.13 s per episode``; empty if none is done."""
    if count < 1:
        return ""
    each = seconds / count
    return f"{each:.0f} s per {unit}" if each >= 10 else f"{each:.2g} s per {unit}"


class Measured:
    """The last measured values, as words for one line."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._first: dict[str, float] = {}

    def update(self, metrics: Mapping[str, float]) -> None:
        """Take new values; others are kept."""
        self._values.update(metrics)
        self._first = {**metrics, **self._first}

    def words(self) -> list[str]:
        """Parts such as ``reward 0.512``; the reward weights α only once they have moved."""
        values = self._values
        parts = [text.format(values[name]) for name, text in _SHOWN.items() if name in values]
        alpha = {name: value for name, value in values.items() if name.startswith(_ALPHA)}
        if any(abs(value - self._first[name]) >= _ALPHA_MOVED for name, value in alpha.items()):
            shown = (f"{name.removeprefix(_ALPHA)} {value:.2f}" for name, value in alpha.items())
            parts.append(f"α {' '.join(shown)}")
        return parts


class LiveLine:
    """Live line in a terminal, which is overwritten again and again; see :func:`open_progress`.

    What does not fit into the terminal is left out as a whole, the least important first.
    """

    def __init__(
        self, *, description: str, total: int, done: int, stream: TextIO, unit: str = "episode"
    ) -> None:
        self._measured = Measured()
        self._unit = unit
        self._phase = ""
        self._open = True
        self._bar = tqdm(
            desc=description,
            total=total,
            initial=done,
            unit=unit,
            file=stream,
            bar_format=_BAR,
            dynamic_ncols=True,
        )

    def update(self, done: int, metrics: Mapping[str, float]) -> None:
        """Show the new state, at most once in a tenth of a second."""
        self._measured.update(metrics)
        self._phase = ""
        self.advance(done - int(self._bar.n))

    def advance(self, count: int = 1) -> None:
        """Show the new state, at most once in a tenth of a second."""
        # Before the postfix is written, and unseen: the pace is that of all that is done.
        self._bar.n += count
        self._write_rest()
        self._bar.n -= count
        self._bar.update(count)

    def phase(self, text: str) -> None:
        """Show ``text`` behind the numbers."""
        self._phase = text
        self._write_rest()
        self._bar.refresh()

    def note(self, text: str) -> None:
        """Write ``text`` above the line, or below it once that is closed."""
        if self._open:
            self._bar.write(text, file=self._bar.fp)
        else:
            print(text, file=self._bar.fp, flush=True)

    def close(self) -> None:
        """End the display and leave its last state as a line."""
        if self._open:
            self._open = False
            self._bar.refresh()
            self._bar.close()

    def _write_rest(self) -> None:
        """Write pace, and phase or measured values, as far as they fit."""
        state = self._bar.format_dict
        done = int(self._bar.n - self._bar.initial)
        parts = [pace(state["elapsed"], done, self._unit)]
        parts += [self._phase] if self._phase else self._measured.words()
        begin = tqdm.format_meter(**{**state, "postfix": None, "ncols": None})
        width = state["ncols"]
        shown, length = [], len(begin)
        for part in filter(None, parts):
            length += len(", ") + len(part)
            if width is not None and length > width:
                break
            shown.append(part)
        self._bar.set_postfix_str(", ".join(shown), refresh=False)


class PlainLines:
    """Plain lines at intervals and at the end; see :func:`open_progress`.

    The first one comes after :data:`FIRST_LINE_S`, others every :data:`PLAIN_INTERVAL_S` seconds.

    Args:
        description: text at the beginning of each line.
        total: number of units of the run.
        done: number of units that an earlier process has done.
        stream: text stream for the lines.
        unit: what is counted.
        clock: monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        description: str,
        total: int,
        done: int,
        stream: TextIO,
        unit: str = "episode",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._description = description
        self._total = total
        self._stream = stream
        self._unit = unit
        self._clock = clock
        self._begin = clock()
        self._due = self._begin + FIRST_LINE_S
        self._done_before = self._done = self._shown = done
        self._measured = Measured()
        self._phase = ""

    def update(self, done: int, metrics: Mapping[str, float]) -> None:
        """Write a line if the last one was written long enough ago."""
        self._measured.update(metrics)
        self._phase = ""
        self.advance(done - self._done)

    def advance(self, count: int = 1) -> None:
        """Write a line if the last one was written long enough ago."""
        self._done += count
        self._show_if_due()

    def phase(self, text: str) -> None:
        """Write a line with ``text`` if the last one was written long enough ago."""
        self._phase = text
        self._show_if_due()

    def note(self, text: str) -> None:
        """Write ``text`` as a line."""
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Write the last state, unless it was written already."""
        self._phase = ""
        if self._shown != self._done:
            self._show(self._clock())

    def _show_if_due(self) -> None:
        now = self._clock()
        if now >= self._due:
            self._due = now + PLAIN_INTERVAL_S
            self._show(now)

    def _show(self, now: float) -> None:
        self._shown = self._done
        count = self._done - self._done_before
        left = self._total - self._done
        remaining = (now - self._begin) / count * left if count >= ENOUGH else 0.0
        known = count >= ENOUGH or not left
        parts = [
            f"{self._description} {self._done}/{self._total}",
            pace(now - self._begin, count, self._unit) if known else "",
            f"about {duration(remaining)} left" if remaining else "",
            *([self._phase] if self._phase else self._measured.words()),
        ]
        self.note(", ".join(filter(None, parts)))
