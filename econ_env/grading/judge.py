"""The process that compares formulas with math-verify. Started by :mod:`.worker`, by path.

It imports no part of econ_env, so that it starts fast. It reads and writes lines of JSON:
``{"gold": ..., "answer": ...}`` in, ``{"verdict": ..., "last": ...}`` out, after a first line
``{"ready": true, "missing_limits": [...]}`` or ``{"error": ...}``. After a reply that is the last,
and without a reply to a pair that exceeds a limit, the process ends: an interrupted sympy keeps
half-made results, and a full memory refuses the next pair. The only argument is a JSON object with
the limits. Only math-verify's LaTeX grammar reads the texts: it builds formulas and
evaluates no code, unlike its reader of plain expressions, which calls Python's ``eval``.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
import time
from typing import Any, TextIO

_EXACT_DIGITS = 60
_EXACT_TOLERANCE = "1e-50"
# If one value has a decimal, both must agree in six significant digits.
_DECIMAL_TOLERANCE = "5e-6"

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
    """Limit this process permanently. Return a sentence for every limit that was refused."""
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


def _send(stream: TextIO, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()


def main(limits: dict[str, Any], requests: TextIO, replies: TextIO) -> None:
    """Answer ``requests`` until they end or one exceeds a limit."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process, whatever its parent ignores
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    try:
        # Also builds the tables of sympy and the grammar, half a second of work at first use.
        judge(r"\left(\frac{1}{2}, x^2\right)", r"\left(\frac{2}{4}, x \cdot x\right)")
        judge(r"\sqrt{8} + \pi", r"2\sqrt{2} + \pi")
        judge(r"\cot x", r"\frac{\cos x}{\sin x}")
    except ImportError as error:
        _send(replies, {"error": _explained(error)})
        return
    _send(replies, {"ready": True, "missing_limits": apply_limits(limits["memory_bytes"])})
    for line in requests:
        request = json.loads(line)
        try:
            verdict = _judge_in_time(request["gold"], request["answer"], limits["cpu_seconds"])
        except MemoryError:
            return
        is_last = _has_grown(limits["memory_bytes"])
        _send(replies, {"verdict": verdict, "last": is_last})
        if is_last:
            return


if __name__ == "__main__":
    # Replies go out through a copy of stdout, so that no library can print between them.
    _replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(json.loads(sys.argv[1]), sys.stdin, _replies)
