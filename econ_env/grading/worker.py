"""The grading process in use: started when needed, asked by one thread at a time."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref

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
"""Number of times that one pair is asked, if the first comparison ends by no fault of the pair."""

START_ATTEMPTS = 3
"""Number of processes in a row that may fail to start."""


class GradingWorker:
    """A process that compares formulas, started by the first call.

    A hostile answer ends its own comparison and delays no other. Starting is not part of a pair's
    time: a verdict depends on nothing but the pair.

    Any thread may call it; calls are answered one after the other. A forked child starts a process
    of its own. The process ends with its owner, even if that is killed. POSIX systems only.
    """

    def __init__(self, limits: WorkerLimits | None = None) -> None:
        self.limits = limits or WorkerLimits()
        self._lock = threading.Lock()
        self._process: JudgeProcess | None = None
        _workers.add(self)

    @property
    def pid(self) -> int | None:
        """Id of the process that forks those which compare; None while there is none."""
        return None if self._process is None else self._process.pid

    def warm_up(self) -> None:
        """Start the process now and wait until it is ready.

        Raises:
            GradingError: if the process cannot start.
        """
        with self._lock:
            self._ready_process()

    def judge(self, gold: str, answer: str) -> Verdict:
        """Compare two LaTeX formulas within the limits.

        A pair that uses up its processor time is a ``TIMEOUT``, and not tried again. A comparison
        that ends otherwise (the memory is full, something has killed it) or is stuck may not have
        failed because of the pair: it is asked again, and if that fails too, it is a ``TIMEOUT``.

        Raises:
            GradingError: if the process cannot start.
        """
        with self._lock:
            for _ in range(ATTEMPTS):
                process = self._ready_process()
                try:
                    verdict = process.ask(gold, answer)
                except BaseException:  # Ctrl-C: the late reply must not meet the next question
                    process.end()
                    raise
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
        """End the process; a later call starts another. May be called twice."""
        with self._lock:
            self._end()

    def _ready_process(self) -> JudgeProcess:
        """The process in use, once it takes requests; one that fails to start is tried again."""
        if self._process is not None and not self._process.has_ended():
            return self._process
        for _ in range(START_ATTEMPTS):
            self._end()
            try:
                process = self._start()
                process.wait_until_ready()
            except StartFailed:
                continue
            except BaseException:
                self._end()
                raise
            return process
        self._end()
        raise GradingError(
            f"The grading process ended or hung while it started, {START_ATTEMPTS} times. "
            + how_to_see_why()
        )

    def _start(self) -> JudgeProcess:
        try:
            self._process = JudgeProcess(self.limits)  # a child forked from now on releases it
        except OSError as error:
            raise GradingError(f"The grading process cannot start: {error}") from error
        atexit.register(self.close)
        return self._process

    def _end(self) -> None:
        atexit.unregister(self.close)
        if self._process is not None:
            self._process.end()
        self._process = None

    def _forget_in_child(self) -> None:
        """Release the parent's process after a fork, without ending it."""
        self._lock = threading.Lock()  # another thread of the parent may have held the old one
        if self._process is not None:
            self._process.forget()
        self._process = None


_workers: weakref.WeakSet[GradingWorker] = weakref.WeakSet()


def _forget_all_in_child() -> None:
    for worker in list(_workers):
        worker._forget_in_child()


if hasattr(os, "register_at_fork"):  # no process forks under Windows
    os.register_at_fork(after_in_child=_forget_all_in_child)
