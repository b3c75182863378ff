"""The owner's side of the grading process: pipes, a first line, requests with deadlines."""

from __future__ import annotations

import json
import logging
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
    """Processor time after which the system ends the comparison; a fair answer takes 0.02."""
    wall_seconds: float = 120.0
    """Time by the clock after which a comparison counts as stuck and is killed. An overloaded
    machine needs a small part of it to grant the processor time."""
    memory_bytes: int = 1 << 30
    """Maximum address space of a process, of which it needs about 100 MB itself."""
    start_seconds: float = 300.0
    """Time limit for starting, which takes about two seconds on an idle machine, and a minute on
    an overloaded one."""


class StartFailed(EconError):
    """A process ended or hung while it started; the next one may not."""


class JudgeProcess:
    """A process that runs :mod:`.judge`. The constructor starts it and does not wait for it.

    Comparisons run in a process that it has forked, and that it replaces by another fork, within
    milliseconds, when a comparison ends it. Both belong to a process group, and end with it.

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
        self._limits = limits
        self._received = b""
        self._process = subprocess.Popen(
            [sys.executable, str(_JUDGE), json.dumps(asdict(limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            process_group=0,
            # The order of sets is that of every other process, and with it the way to a verdict.
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def has_ended(self) -> bool:
        """True if the process takes no more requests."""
        return self._process.poll() is not None

    def wait_until_ready(self) -> None:
        """Wait until the process takes requests. To be called once.

        Raises:
            StartFailed: the process ended, or took longer than ``start_seconds``.
            GradingError: the process has said why it cannot start, here or ever.
        """
        try:
            hello = self._message(time.monotonic() + self._limits.start_seconds)
        except (EOFError, TimeoutError):
            raise StartFailed from None
        if "ready" not in hello:
            raise GradingError(f"{hello['error']} {how_to_see_why()}")
        for sentence in hello["missing_limits"]:
            logger.warning("Grading runs with a weaker limit. %s", sentence)

    def ask(self, gold: str, answer: str) -> Verdict | None:
        """Compare two LaTeX formulas.

        Returns:
            ``TIMEOUT`` if the pair used up its processor time; None if the comparison ended
            otherwise or was stuck, which may have ended this process: a second one may succeed.
        """
        deadline = time.monotonic() + self._limits.wall_seconds
        request = json.dumps({"gold": gold, "answer": answer}).encode() + b"\n"
        try:
            _stream(self._process.stdin).write(request)
            while "taken" not in self._message(deadline):
                pass  # the end of a process that had no request, or had answered it
            reply = self._message(deadline)
        except (BrokenPipeError, EOFError, TimeoutError):
            self.end()
            return None
        if "verdict" in reply:
            return Verdict(reply["verdict"])
        return Verdict.TIMEOUT if reply["ended"] in _OUT_OF_CPU_TIME else None

    def end(self) -> None:
        """Kill the process and what it has forked, and wait, so that no zombie remains.

        May be called twice.
        """
        if not self.has_ended():  # until it is waited for, no other group can have its number
            os.killpg(self.pid, signal.SIGKILL)
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

    def _message(self, deadline: float) -> dict[str, Any]:
        """The next line; what has already arrived is read even if ``deadline`` is over.

        Raises:
            EOFError: the process has ended.
            TimeoutError: ``deadline``, in seconds of the monotonic clock, passed.
        """
        descriptor = _stream(self._process.stdout).fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while b"\n" not in self._received:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            chunk = os.read(descriptor, 4096)
            if not chunk:
                raise EOFError
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


def how_to_see_why() -> str:
    """Return a sentence with the command that shows why the process does not start."""
    return f"To see why, run: {sys.executable} {_JUDGE} '{{\"memory_bytes\": 1000000000}}'"


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise GradingError("The grading process has no pipe; it was not started by its owner.")
    return stream
