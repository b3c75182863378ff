"""The grading process in use and the one that replaces it when it has to be killed."""

from __future__ import annotations

import atexit
import logging
import math
import os
import threading
import time
import weakref

from econ_env.grading.process import GradingError, JudgeProcess, WorkerLimits
from econ_env.grading.verdict import Verdict

__all__ = ["GradingError", "GradingWorker", "WorkerLimits"]

logger = logging.getLogger(__name__)


class GradingWorker:
    """A process that compares formulas, started by the first call and replaced when it dies.

    A second process waits as its replacement, because a start takes half a second, and much more on
    a busy machine: a hostile answer that kills the first one delays no later comparison.

    Any thread may call it; calls are answered one after the other. A forked child starts processes
    of its own. The processes end with their parent, even if that is killed. POSIX systems only.
    """

    def __init__(self, limits: WorkerLimits | None = None) -> None:
        self.limits = limits or WorkerLimits()
        self._lock = threading.Lock()
        self._process: JudgeProcess | None = None
        self._standby: JudgeProcess | None = None
        self._has_been_ready = False
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
            self._ready_process(deadline=math.inf)  # bounded by start_seconds

    def judge(self, gold: str, answer: str) -> Verdict:
        """Compare two LaTeX formulas within the limits.

        A call takes at most ``wall_seconds``; only the first one also waits for the first start,
        which may take ``start_seconds`` more. A comparison that kills its process is a ``TIMEOUT``.
        So is one for which no process is ready within half of ``wall_seconds``, after several were
        killed; that is logged. The other half is kept for comparing, so that no healthy process is
        killed for being late.

        Raises:
            GradingError: if the process cannot start.
        """
        with self._lock:
            if not self._has_been_ready:
                self._ready_process(deadline=math.inf)  # bounded by start_seconds
            begin, wall = time.monotonic(), self.limits.wall_seconds
            process = self._ready_process(begin + wall / 2)
            if process is None:
                logger.warning(
                    "A pair of answers was not compared: the grading process is still starting, "
                    "after others were killed. If this happens often, run fewer programs at a time."
                )
                return Verdict.TIMEOUT
            try:
                verdict = process.ask(gold, answer, begin + wall)
            except BaseException:  # Ctrl-C: the late reply must not meet the next question
                self._replace(process)
                raise
            if verdict is not None:
                return verdict
            self._replace(process)
            return Verdict.TIMEOUT

    def close(self) -> None:
        """End both processes; a later call starts them again. May be called twice."""
        with self._lock:
            self._end()

    def _ready_process(self, deadline: float) -> JudgeProcess | None:
        """The process in use, with its replacement on the way; None if not ready in time."""
        if self._process is not None and self._process.has_ended():
            self._replace(self._process)
        process = self._process = self._process or self._start()
        try:
            is_ready = process.wait_until_ready(deadline)
        except BaseException:
            self._end()
            raise
        if not is_ready:
            return None
        self._has_been_ready = True
        # Not sooner: two starts at once would take twice as long.
        self._standby = self._standby or self._start()
        return process

    def _replace(self, process: JudgeProcess) -> None:
        """End ``process``; its replacement takes over and, if ready, gets a replacement itself."""
        process.end()
        self._process, self._standby = self._standby or self._start(), None
        if self._process.wait_until_ready(deadline=0.0):
            self._standby = self._start()

    def _start(self) -> JudgeProcess:
        atexit.unregister(self.close)
        atexit.register(self.close)
        return JudgeProcess(self.limits)

    def _end(self) -> None:
        for process in (self._process, self._standby):
            if process is not None:
                process.end()
        atexit.unregister(self.close)
        self._process = self._standby = None
        self._has_been_ready = False

    def _forget_in_child(self) -> None:
        """Release the parent's processes after a fork, without ending them."""
        self._lock = threading.Lock()  # another thread of the parent may have held the old one
        for process in (self._process, self._standby):
            if process is not None:
                process.forget()
        self._process = self._standby = None
        self._has_been_ready = False


_workers: weakref.WeakSet[GradingWorker] = weakref.WeakSet()


def _forget_all_in_child() -> None:
    for worker in list(_workers):
        worker._forget_in_child()


if hasattr(os, "register_at_fork"):  # no process forks under Windows
    os.register_at_fork(after_in_child=_forget_all_in_child)
