"""The process that compares formulas with math-verify. Started by :mod:`.process`, by path.

It imports no part of econ_env, so that it starts fast, and it imports everything once: as a
*template*, it forks a process that answers requests, waits for its end, and forks the next one,
which takes milliseconds. The template itself reads no request. A process ends when its owner has
gone, without a reply when a pair exceeds a limit, and after a reply if its memory has grown: an
interrupted sympy keeps half-made results, and a full memory refuses the next pair.

The only argument is a JSON object with the limits. Requests and replies are lines of JSON. In:
``{"gold": ..., "answer": ...}``. Out, each line in one piece, so that no end of a process can cut
it: from the template ``{"ready": true, "missing_limits": [...]}`` or ``{"error": ...}``, once, and
``{"ended": EXIT_CODE}`` for each process; from the process ``{"taken": PID}`` and, in the end,
``{"verdict": ...}`` for each request.

Only math-verify's LaTeX grammar reads the texts: it builds formulas and evaluates no code, unlike
its reader of plain expressions, which calls Python's ``eval``.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
import time
from typing import Any

_EXACT_DIGITS = 60
_EXACT_TOLERANCE = "1e-50"
# If one value has a decimal, both must agree in six significant digits.
_DECIMAL_TOLERANCE = "5e-6"

_WARM_UP = (
    (r"\left(\frac{1}{2}, x^2\right)", r"\left(\frac{2}{4}, x \cdot x\right)"),
    (r"\sqrt{8} + \pi", r"2\sqrt{2} + \pi"),
    (r"\cot x", r"\frac{\cos x}{\sin x}"),
    (r"(x - 2)(x + 2)", r"x^2 - 4"),
    (r"e^{2} \log y", r"\log(y) e^{2}"),
    (r"\left[2, \infty\right)", r"\left[2, \infty\right)"),
    (r"\begin{pmatrix} 1 & 2 \end{pmatrix}", r"\{1, x\}"),
)
"""Formulas of the usual kinds. The first of a kind takes ten times as long as the next, since it
builds tables of sympy or of the grammar, which forked processes inherit."""

_NO_MORE_REQUESTS = 0
_HAS_GROWN = 3
"""Exit codes of a process that answers requests; others are those of Python and of signals."""

_ANTLR_REMEDY = (
    "Formulas are read with antlr4-python3-runtime 4.9.3, 4.11 or 4.13.2. Install one of them: "
    "pip install antlr4-python3-runtime==4.13.2, or ==4.9.3 beside hydra-core."
)


def judge(gold_text: str, answer_text: str) -> str:
    """Compare two LaTeX formulas.

    Return ``"correct"``, ``"incorrect"`` or, if one of them cannot be read, ``"unparseable"``.
    Hostile input takes unbounded time and memory.
    """
    from math_verify import verify

    gold, answer = _read(gold_text), _read(answer_text)
    if gold is None or answer is None:
        return "unparseable"
    equal = verify(gold, answer, timeout_seconds=None)
    return "correct" if equal and _agree_on_a_second_look(gold, answer) else "incorrect"


def _read(latex: str) -> Any:
    """The formula that ``latex`` expresses; None if it expresses none."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    # Units were dropped before, by rules that do not read the d of "2d" as "days".
    normalization = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none"
    )
    reader = LatexExtractionConfig(boxed_match_priority=-1, normalization_config=normalization)
    formulas = parse(f"${latex}$", [reader], fallback_mode="no_fallback", parsing_timeout=None)
    return formulas[0] if formulas else None


def _agree_on_a_second_look(gold: Any, answer: Any) -> bool:
    """Check two formulas that math-verify calls equal.

    math-verify compares numbers with an absolute tolerance, so 1/2^99 equals 1/2^98 and any two
    numbers below 1e-6 are equal, and it accepts "8 = 7" for 7.
    """
    import sympy

    if isinstance(answer, sympy.Eq) and not isinstance(gold, sympy.Eq):
        if not _numbers_agree(answer.lhs, answer.rhs):
            return False
        answer = answer.rhs
    elif isinstance(gold, sympy.Eq) and not isinstance(answer, sympy.Eq):
        gold = gold.rhs
    if isinstance(gold, sympy.MatrixBase) and isinstance(answer, sympy.MatrixBase):
        return all(map(_numbers_agree, gold.flat(), answer.flat()))
    if isinstance(gold, sympy.Interval) and isinstance(answer, sympy.Interval):
        return _numbers_agree(gold.start, answer.start) and _numbers_agree(gold.end, answer.end)
    if isinstance(gold, sympy.Tuple) and isinstance(answer, sympy.Tuple):
        return all(map(_numbers_agree, gold.args, answer.args))
    if isinstance(gold, sympy.FiniteSet) and isinstance(answer, sympy.FiniteSet):
        return all(any(_numbers_agree(x, y) for y in answer.args) for x in gold.args)
    return _numbers_agree(gold, answer)


def _numbers_agree(a: Any, b: Any) -> bool:
    """True if two numbers agree, and for any pair that is not two numbers."""
    import sympy

    if not (isinstance(a, sympy.Expr) and isinstance(b, sympy.Expr)) or a == b:
        return True
    if not (a.is_number and b.is_number):
        return True
    x, y = sympy.N(a, _EXACT_DIGITS), sympy.N(b, _EXACT_DIGITS)
    distance, scale = sympy.Abs(x - y), sympy.Max(sympy.Abs(x), sympy.Abs(y))
    if not (distance.is_comparable and scale.is_comparable):
        return True
    has_decimal = a.has(sympy.Float) or b.has(sympy.Float)
    tolerance = sympy.Float(_DECIMAL_TOLERANCE if has_decimal else _EXACT_TOLERANCE)
    return bool(distance <= tolerance * scale)


def apply_limits(memory_bytes: int) -> list[str]:
    """Limit this process and those it forks. Return a sentence for every limit refused."""
    import resource

    limits = {
        "address space": (resource.RLIMIT_AS, memory_bytes),
        "size of written files": (resource.RLIMIT_FSIZE, 0),
        "size of core dumps": (resource.RLIMIT_CORE, 0),
    }
    refusals = [_apply_limit(name, *limit) for name, limit in limits.items()]
    return [refusal for refusal in refusals if refusal is not None]


def _apply_limit(name: str, kind: int, limit: int) -> str | None:
    import resource

    try:
        resource.setrlimit(kind, (limit, limit))
    except (ValueError, OSError) as error:  # macOS refuses some
        return f"The system refused to limit the {name} to {limit} bytes: {error}"
    return None


def _judge_in_time(gold: str, answer: str, cpu_seconds: float) -> str:
    """Compare a pair; the system ends this process when the pair has used its processor time.

    Raises:
        MemoryError: the pair needs more memory than is left.
    """
    import resource

    from sympy.core.random import seed

    seed(0)  # some comparisons try random points: the same ones for a pair, whatever came before
    # Should the timer fail, this limit ends the process, up to two seconds later.
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    end = math.ceil(time.process_time() + cpu_seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (end, hard))
    # Processor time, so that a busy machine does not change the verdict on a fair answer. The
    # signal is left to the system, which ends even one operation on huge numbers.
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        return judge(gold, answer)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  sympy may raise anything on a hostile text
        return "unparseable"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _has_grown(memory_bytes: int) -> bool:
    """True if this process has ever used half of its memory, so that little may be left."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) > memory_bytes / 2


def _explained(error: ImportError) -> str:
    said = f"math-verify cannot be imported: {error}".removesuffix(".") + "."
    return f"{said} {_ANTLR_REMEDY}" if "antlr" in said.lower() else said


def _send(replies: int, message: dict[str, Any]) -> None:
    """Write one line, at once: what is shorter than a pipe's buffer is written whole or not."""
    os.write(replies, json.dumps(message).encode() + b"\n")


def _next_request() -> dict[str, Any] | None:
    """The next request; None if the owner has gone. Nothing is read ahead of its line."""
    line = b""
    while not line.endswith(b"\n"):  # the owner sends one line at a time
        piece = os.read(sys.stdin.fileno(), 1 << 16)
        if not piece:
            return None
        line += piece
    request: dict[str, Any] = json.loads(line)
    return request


def _answer_requests(limits: dict[str, Any], replies: int) -> int:
    """Answer requests until they end or the memory has grown; return the exit code.

    Raises:
        MemoryError: a pair needs more memory than is left.
    """
    while (request := _next_request()) is not None:
        _send(replies, {"taken": os.getpid()})
        verdict = _judge_in_time(request["gold"], request["answer"], limits["cpu_seconds"])
        _send(replies, {"verdict": verdict})
        if _has_grown(limits["memory_bytes"]):
            return _HAS_GROWN
    return _NO_MORE_REQUESTS


def _forked(limits: dict[str, Any], replies: int) -> int:
    """Fork a process that answers requests; return its exit code once it has ended."""
    pid = os.fork()
    if pid == 0:
        exit_code = 1
        try:
            exit_code = _answer_requests(limits, replies)
        finally:  # no exception may reach the template's code in this process
            os._exit(exit_code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def main(limits: dict[str, Any], replies: int) -> None:
    """Import everything, then have forked processes answer requests until these end."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, which ends this one
    needed = {signal.SIGCHLD, signal.SIGPROF, signal.SIGXCPU}
    for number in needed:  # whatever the owner ignores or blocks
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, needed)
    try:
        for gold, answer in _WARM_UP:
            judge(gold, answer)
    except ImportError as error:
        _send(replies, {"error": _explained(error)})
        return
    _send(replies, {"ready": True, "missing_limits": apply_limits(limits["memory_bytes"])})
    while (exit_code := _forked(limits, replies)) != _NO_MORE_REQUESTS:
        _send(replies, {"ended": exit_code})  # and end if the owner has gone: nobody reads it


if __name__ == "__main__":
    # Replies go out through a copy of stdout, so that no library can print between them.
    _replies = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    main(json.loads(sys.argv[1]), _replies)
