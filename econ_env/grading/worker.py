"""The parent's side of the grading process: start it, ask it, end it, replace it."""

from __future__ import annotations

import atexit
import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from econ_env.grading.verdict import Verdict

logger = logging.getLogger(__name__)

_JUDGE = Path(__file__).with_name("judge.py")


class GradingError(Exception):
    """The grading process cannot run at all. One pair that is too hard never raises this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerLimits:
    """What one comparison may use."""

    cpu_seconds: float = 1.0
    """Processor time after which the worker gives up and lives on; a fair answer takes 0.02."""
    wall_seconds: float = 1.8
    """Time after which it is killed: one operation on huge numbers hears no timer."""
    memory_bytes: int = 1 << 30
    """Address space of the worker; it needs about 100 MB itself."""
    start_seconds: float = 60.0
    """Time for starting, which takes about half a second on an idle machine."""


class GradingWorker:
    """One process that compares formulas, started when first asked and replaced when it dies.

    Any thread may call it; calls are answered one after the other. A forked child starts a worker
    of its own. The process ends with this one, also when that is killed. POSIX systems only.
    """

    def __init__(self, limits: WorkerLimits | None = None) -> None:
        self.limits = limits or WorkerLimits()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        _workers.add(self)

    @property
    def pid(self) -> int | None:
        """Process id of the worker; None while there is none."""
        return None if self._process is None else self._process.pid

    def warm_up(self) -> None:
        """Start the process now and wait until it is ready.

        Raises:
            GradingError: if it cannot start.
        """
        with self._lock:
            self._ready_process()

    def judge(self, gold: str, answer: str) -> Verdict:
        """Compare two LaTeX formulas within the limits.

        Takes at most ``wall_seconds``, and the time of a start if there is no worker yet. A
        comparison that kills the worker is a ``TIMEOUT``.

        Raises:
            GradingError: if the process cannot start.
        """
        line = json.dumps({"gold": gold, "answer": answer}).encode() + b"\n"
        with self._lock:
            process = self._ready_process()
            try:
                _stream(process.stdin).write(line)
                reply = _read_line(process, time.monotonic() + self.limits.wall_seconds)
            except BrokenPipeError:
                reply = None
            except BaseException:  # Ctrl-C: the late reply must not meet the next question
                self._end()
                raise
            if reply is None:
                self._end()
                self._start()  # without waiting: it gets ready while the caller goes on
                return Verdict.TIMEOUT
            return Verdict(json.loads(reply)["verdict"])

    def close(self) -> None:
        """End the process. It starts again when it is needed. May be called twice."""
        with self._lock:
            self._end()

    def _ready_process(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        process = self._process or self._start()
        if self._is_ready:
            return process
        try:
            line = _read_line(process, time.monotonic() + self.limits.start_seconds)
        except BaseException:
            self._end()
            raise
        hello: dict[str, Any] = {} if line is None else json.loads(line)
        if "ready" not in hello:
            self._end()
            raise GradingError(
                hello.get("error", "The grading process ended or hung while it started.")
                + f" To see why, run: {sys.executable} {_JUDGE} '{{\"memory_bytes\": 1000000000}}'"
            )
        for sentence in hello["missing_limits"]:
            logger.warning("Grading runs with a weaker limit. %s", sentence)
        self._is_ready = True
        return process

    def _start(self) -> subprocess.Popen[bytes]:
        if sys.platform == "win32":
            raise GradingError(
                "Formulas are compared in a process with POSIX resource limits, which Windows does "
                "not have. Run econ_env under Linux, macOS or WSL; plain numbers need no process."
            )
        atexit.register(self.close)
        self._is_ready = False
        self._process = subprocess.Popen(
            [sys.executable, str(_JUDGE), json.dumps(asdict(self.limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.close)
        process.kill()
        process.wait()  # leaves no zombie
        _stream(process.stdin).close()
        _stream(process.stdout).close()

    def _forget_in_child(self) -> None:
        """Let go of the parent's worker after a fork, without touching the process itself."""
        self._lock = threading.Lock()  # another thread of the parent may have held the old one
        process, self._process = self._process, None
        if process is not None:
            # With its end of the pipe open here, the worker would outlive the parent.
            _stream(process.stdin).close()
            _stream(process.stdout).close()
            process.returncode = 0  # it is no child of this process: nothing to wait for


_workers: weakref.WeakSet[GradingWorker] = weakref.WeakSet()


def _forget_all_in_child() -> None:
    for worker in list(_workers):
        worker._forget_in_child()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all_in_child)


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise GradingError("The grading process has no pipe; it was not started by its owner.")
    return stream


def _read_line(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """One line from the worker; None if it ends or ``deadline`` (monotonic seconds) passes."""
    descriptor = _stream(process.stdout).fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        chunk = os.read(descriptor, 4096)
        if not chunk:
            return None
        line += chunk
    return line
