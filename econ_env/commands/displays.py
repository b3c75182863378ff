"""Displays of games while they are played: many above a line of progress, or one by one, live."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

from econ_console.waiting_line import WaitingLine
from econ_env.envs.batched import BatchedEconEnv
from econ_env.envs.render import Screen, render_transcript, use_colour
from econ_env.game.transcript import Transcript


class Display(Protocol):
    """A display of games."""

    @property
    def watch(self) -> Callable[[Transcript], object] | None:
        """Function to be called with every game that goes on; None if that is not shown."""
        ...

    @contextmanager
    def of(self, env: BatchedEconEnv, total: int) -> Iterator[None]:
        """Show ``total`` games of an environment while the context lasts."""
        ...

    def finished(self, transcript: Transcript) -> None:
        """Show a game that has ended."""
        ...


class Overview:
    """A line of progress, and the first ``show`` games in full; lines if stderr is no terminal.

    On a terminal the last state of the line stays.
    """

    watch = None

    def __init__(self, show: int) -> None:
        self._left = show
        self._done = 0

    @contextmanager
    def of(self, env: BatchedEconEnv, total: int) -> Iterator[None]:
        """Show ``total`` games of an environment while the context lasts."""
        self._begin = time.monotonic()
        live = sys.stderr.isatty()
        say = self._pace if live else self._said
        with WaitingLine(lambda: say(total, env.status)) as line:
            self._line = line
            yield
        if live:
            print(self._pace(total), file=sys.stderr)

    def finished(self, transcript: Transcript) -> None:
        """Count a game, and print it if it is one of the first."""
        if self._left > 0:
            self._left -= 1
            heading = f"game {self._done + 1}"
            shown = render_transcript(transcript, colour=use_colour(), heading=heading)
            self._line.write(f"{shown}\n")
        self._done += 1

    def _said(self, total: int, status: str) -> str:
        return f"{self._done} of {total} questions played: {status}" if status else ""

    def _pace(self, total: int, status: str = "") -> str:
        """Say what is done, in which time, and what is waited for, as one line of a terminal."""
        elapsed_s = time.monotonic() - self._begin
        each_s = elapsed_s / self._done if self._done else None
        left = "?" if each_s is None else tqdm.format_interval(each_s * (total - self._done))
        done = f"{self._done}/{total} [{tqdm.format_interval(elapsed_s)}<{left}]"
        pace = "" if each_s is None else f"{each_s:.2g} s per question"
        return ", ".join(filter(None, (done, pace, status)))


class Live:
    """One game after the other as it unfolds, and a line that says what is waited for."""

    def __init__(self) -> None:
        self._number = 1

    @property
    def watch(self) -> Callable[[Transcript], object]:
        """Function that prints what is new in a game."""
        return self._show

    @contextmanager
    def of(self, env: BatchedEconEnv, total: int) -> Iterator[None]:
        """Show ``total`` games of an environment while the context lasts."""
        with WaitingLine(lambda: self._said(env, total)) as line:
            self._screen = Screen(line.write)
            yield

    def finished(self, transcript: Transcript) -> None:
        """Print the rest of a game, and an empty line behind it."""
        self._show(transcript)
        self._screen.space()
        self._number += 1

    def _show(self, transcript: Transcript) -> None:
        self._screen.show(transcript, heading=f"game {self._number}")

    def _said(self, env: BatchedEconEnv, total: int) -> str:
        status = env.status
        return f"game {self._number} of {total}: {status}" if status else ""
