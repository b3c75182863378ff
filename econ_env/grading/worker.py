"""The grading process in use and the one that replaces it when it has to be killed."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from contextlib import suppress

from econ_env.grading.process import (
    GradingError,
    JudgeProcess,
    StartFailed,
    WorkerLimits,
    how_to_see_why,
)
from econ_env.grading.verdict import Verdict

__all__ = ["GradingError", "GradingWorker", "WorkerLimits"]

logger = logging.getLogger(__name__)

ATTEMPTS = 2
"""Number of processes asked for one pair, if the first one ends by no fault of the pair."""

START_ATTEMPTS = 3
"""Number of processes in a row that may fail to start."""


class GradingWorker:
    """A process that compares formulas, started by the first call and replaced when it dies.

    A second process waits as its replacement, because a start takes half a second, and much more on
    a busy machine: a hostile answer that ends the first one delays no later comparison. If several
    follow each other, the next pair waits for a start, and that wait is not part of its own time:
    a verdict depends on nothing but the pair.

    Any thread may call it; calls are answered one after the other. A forked child starts processes
    of its own. The processes end with their parent, even if that is killed. POSIX systems only.
    """

    def __init__(self, limits: WorkerLimits | None = None) -> None:
        self.limits = limits or WorkerLimits()
        self._lock = threading.Lock()
        self._process: JudgeProcess | None = None
        self._standby: JudgeProcess | None = None
        _workers.add(self)

    @property
    def pid(self) -> int | None:
        """Process id of the process in use; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def standby_pid(self) -> int | None:
        """Process id of the replacement, which may still be starting; None while there is none."""
        return None if self._standby is None else self._standby.pid

    def warm_up(self) -> None:
        """Start the process now and wait until it is ready. Its replacement starts after that.

        Raises:
            GradingError: if the process cannot start.
        """
        with self._lock:
            self._ready_process()

    def judge(self, gold: str, answer: str) -> Verdict:
        """Compare two LaTeX formulas within the limits.

        A pair that uses up its processor time is a ``TIMEOUT``, and not tried again. A process that
        ends otherwise (its memory is full, something has killed it) or is stuck may not have failed
        because of the pair: another one is asked, and if that fails too, it is a ``TIMEOUT``.

        Raises:
            GradingError: if the process cannot start.
        """
        with self._lock:
            for _ in range(ATTEMPTS):
                process = self._ready_process()
                deadline = time.monotonic() + self.limits.wall_seconds
                try:
                    verdict = process.ask(gold, answer, deadline)
                except BaseException:  # Ctrl-C: the late reply must not meet the next question
                    self._replace(process)
                    raise
                if verdict is None or process.has_ended():
                    self._replace(process)
                if verdict is not None:
                    return verdict
        logger.warning(
            "A pair of answers was not compared, and counts as not correct: its process ended or "
            "was stuck for %g s, %d times. If this happens often, free memory or run fewer "
            "programs at a time.",
            self.limits.wall_seconds,
            ATTEMPTS,
        )
        return Verdict.TIMEOUT

    def close(self) -> None:
        """End both processes; a later call starts them again. May be called twice."""
        with self._lock:
            self._end()

    def _ready_process(self) -> JudgeProcess:
        """The process in use, once it takes requests, with its replacement on the way."""
        if self._process is not None and self._process.has_ended():
            self._replace(self._process)
        try:
            process = self._process = self._started()
        except BaseException:
            self._end()
            raise
        if self._standby is None:  # not sooner: two starts at once would take twice as long
            self._standby = self._spare()
        return process

    def _started(self) -> JudgeProcess:
        """A process that is ready; one that fails while it starts is followed by another."""
        for _ in range(START_ATTEMPTS):
            self._process = self._process or self._start()
            try:
                self._process.wait_until_ready()
            except StartFailed:
                self._process.end()
                self._process, self._standby = self._standby, None
            else:
                return self._process
        raise GradingError(
            f"The grading process ended or hung while it started, {START_ATTEMPTS} times. "
            + how_to_see_why()
        )

    def _replace(self, process: JudgeProcess) -> None:
        """End ``process``; its replacement takes over and, if ready, gets a replacement itself."""
        process.end()
        self._process, self._standby = self._standby or self._spare(), None
        with suppress(StartFailed, GradingError):  # whoever needs the process is told
            if self._process is not None and self._process.wait_until_ready(deadline=0.0):
                self._standby = self._spare()

    def _start(self) -> JudgeProcess:
        atexit.unregister(self.close)
        atexit.register(self.close)
        try:
            return JudgeProcess(self.limits)
        except OSError as error:
            raise GradingError(f"The grading process cannot start: {error}") from error

    def _spare(self) -> JudgeProcess | None:
        """A process that nobody waits for yet; None if the system grants none now."""
        try:
            return self._start()
        except GradingError:
            return None

    def _end(self) -> None:
        for process in (self._process, self._standby):
            if process is not None:
                process.end()
        atexit.unregister(self.close)
        self._process = self._standby = None

    def _forget_in_child(self) -> None:
        """Release the parent's processes after a fork, without ending them."""
        self._lock = threading.Lock()  # another thread of the parent may have held the old one
        for process in (self._process, self._standby):
            if process is not None:
                process.forget()
        self._process = self._standby = None


_workers: weakref.WeakSet[GradingWorker] = weakref.WeakSet()


def _forget_all_in_child() -> None:
    for worker in list(_workers):
        worker._forget_in_child()


if hasattr(os, "register_at_fork"):  # no process forks under Windows
    os.register_at_fork(after_in_child=_forget_all_in_child)
