"""The parent's side of one grading process: pipes, a first line, requests with deadlines."""

from __future__ import annotations

import json
import logging
import math
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from econ_env.errors import EconError
from econ_env.grading.verdict import Verdict

logger = logging.getLogger(__name__)

_JUDGE = Path(__file__).with_name("judge.py")

_OUT_OF_CPU_TIME = (-signal.SIGPROF, -signal.SIGXCPU) if hasattr(signal, "SIGPROF") else ()
"""Exit codes of a process that its own timer or its limit on processor time has ended."""


class GradingError(EconError):
    """The grading process cannot run at all. A pair that is too hard does not raise this."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerLimits:
    """Limits of one comparison. Processor time decides, so that the load of a machine does not."""

    cpu_seconds: float = 0.8
    """Processor time after which the system ends the process; a fair answer takes 0.02."""
    wall_seconds: float = 120.0
    """Time by the clock after which a process that was asked counts as stuck and is killed. An
    overloaded machine needs a small part of it to grant the processor time."""
    memory_bytes: int = 1 << 30
    """Maximum address space of the process, of which it needs about 100 MB itself."""
    start_seconds: float = 300.0
    """Time limit for starting, which takes about half a second on an idle machine, and a minute on
    an overloaded one."""


class StartFailed(EconError):
    """A process ended or hung while it started; the next one may not."""


class JudgeProcess:
    """A process that runs :mod:`.judge`. The constructor starts it and does not wait for it.

    Deadlines are in seconds of the monotonic clock.

    Raises:
        GradingError: the system has no resource limits.
    """

    def __init__(self, limits: WorkerLimits) -> None:
        if find_spec("resource") is None:
            raise GradingError(
                "Formulas are compared in a process with POSIX resource limits, which this system "
                f"({sys.platform}) does not have. Run econ_env under Linux, macOS or WSL; plain "
                "numbers need no process."
            )
        self._start_deadline = time.monotonic() + limits.start_seconds
        self._is_ready = False
        self._has_finished = False
        self._received = b""
        self._process = subprocess.Popen(
            [sys.executable, str(_JUDGE), json.dumps(asdict(limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # The order of sets is that of every other process, and with it the way to a verdict.
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def has_ended(self) -> bool:
        """True if a process that had been ready is gone, or has said that it takes no more pairs.

        One that fails to start is reported by :meth:`wait_until_ready`.
        """
        return self._is_ready and (self._has_finished or self._process.poll() is not None)

    def wait_until_ready(self, deadline: float = math.inf) -> bool:
        """Wait for the start until ``deadline``; return True if the process takes requests.

        Raises:
            StartFailed: the process ended, or took longer than ``start_seconds``.
            GradingError: the process has said why it cannot start, here or ever.
        """
        if self._is_ready:
            return True
        try:
            hello: dict[str, Any] = json.loads(self._read_line(min(deadline, self._start_deadline)))
        except TimeoutError:
            if time.monotonic() < self._start_deadline:
                return False
            raise StartFailed from None
        except EOFError:
            raise StartFailed from None
        if "ready" not in hello:
            raise GradingError(f"{hello['error']} {how_to_see_why()}")
        for sentence in hello["missing_limits"]:
            logger.warning("Grading runs with a weaker limit. %s", sentence)
        self._is_ready = True
        return True

    def ask(self, gold: str, answer: str, deadline: float) -> Verdict | None:
        """Compare two LaTeX formulas.

        The process must be ready; if it :meth:`has_ended` or the result is None, it must not be
        asked again.

        Returns:
            ``TIMEOUT`` if the pair used up its processor time, which ended the process; None if
            the process ended otherwise, or ``deadline`` passed: another one may have a verdict.
        """
        line = json.dumps({"gold": gold, "answer": answer}).encode() + b"\n"
        try:
            _stream(self._process.stdin).write(line)
            reply = json.loads(self._read_line(deadline))
        except TimeoutError:
            return None
        except (BrokenPipeError, EOFError):
            return Verdict.TIMEOUT if self._process.wait() in _OUT_OF_CPU_TIME else None
        self._has_finished = reply["last"]
        return Verdict(reply["verdict"])

    def end(self) -> None:
        """Kill the process and wait for its end, so that no zombie remains. May be called twice."""
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def forget(self) -> None:
        """Release a process that belongs to the parent of this forked one, without ending it."""
        # With this end of the pipe open, the process would outlive the parent.
        self._close_pipes()
        self._process.returncode = 0  # not a child of this process: nothing to wait for

    def _close_pipes(self) -> None:
        _stream(self._process.stdin).close()
        _stream(self._process.stdout).close()

    def _read_line(self, deadline: float) -> bytes:
        """One line; data that has already arrived is read even if ``deadline`` is over.

        Raises:
            EOFError: the process has ended.
            TimeoutError: ``deadline`` passed; the part that was read is kept for the next call.
        """
        descriptor = _stream(self._process.stdout).fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not self._received.endswith(b"\n"):
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            chunk = os.read(descriptor, 4096)
            if not chunk:
                raise EOFError
            self._received += chunk
        line, self._received = self._received, b""
        return line


def how_to_see_why() -> str:
    """Return a sentence with the command that shows why the process does not start."""
    return f"To see why, run: {sys.executable} {_JUDGE} '{{\"memory_bytes\": 1000000000}}'"


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise GradingError("The grading process has no pipe; it was not started by its owner.")
    return stream
