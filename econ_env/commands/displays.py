"""Displays of games while they are played: many under a progress bar, or one by one, live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

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

    def phase(self, text: str) -> None:
        """Show what the games do next."""
        ...

    def finished(self, transcript: Transcript) -> None:
        """Show a game that has ended."""
        ...


class Overview:
    """A progress bar, and the first ``show`` games in full; lines if stderr is no terminal."""

    watch = None

    def __init__(self, show: int) -> None:
        self._left = show
        self._done = 0

    @contextmanager
    def of(self, env: BatchedEconEnv, total: int) -> Iterator[None]:
        """Show ``total`` games of an environment while the context lasts."""
        with tqdm(total=total, unit="question", disable=None) as bar:
            self._bar: tqdm[Any] = bar
            if not bar.disable:
                yield
                return
            with WaitingLine(lambda: self._said(env, total)):
                yield

    def phase(self, text: str) -> None:
        """Show what the games do next: a batch ends as a whole, until then its phase is seen."""
        self._bar.set_postfix_str(text)

    def finished(self, transcript: Transcript) -> None:
        """Count a game, and print it if it is one of the first."""
        if self._left > 0:
            self._left -= 1
            self._bar.write(render_transcript(transcript, colour=use_colour()))
        self._done += 1
        self._bar.update()

    def _said(self, env: BatchedEconEnv, total: int) -> str:
        status = env.status
        return f"{self._done} of {total} questions played: {status}" if status else ""


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

    def phase(self, text: str) -> None:
        """Show nothing: the line knows it."""

    def finished(self, transcript: Transcript) -> None:
        """Print the rest of a game, and an empty line behind it."""
        self._show(transcript)
        self._screen.space()
        self._number += 1

    def _show(self, transcript: Transcript) -> None:
        self._screen.show(transcript)

    def _said(self, env: BatchedEconEnv, total: int) -> str:
        status = env.status
        return f"game {self._number} of {total}: {status}" if status else ""
