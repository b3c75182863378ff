"""Find the answer in a response and grade it against the gold answer.

Grading never runs what it grades. Numbers, tuples of numbers and words are compared exactly and
at once; everything else goes to math-verify in a process with limits on time and memory, which is
killed and replaced when it exceeds them. So every answer gets a verdict, and no answer can hang
or harm the run: a model that is trained against a grader finds every hole in it.
"""

from __future__ import annotations

from functools import lru_cache

from econ_env.grading.extraction import extract
from econ_env.grading.latex import clean, to_latex
from econ_env.grading.limits import MAX_ANSWER_LENGTH, is_excessive, is_no_formula
from econ_env.grading.plain import parse_plain, same_plain
from econ_env.grading.verdict import Verdict
from econ_env.grading.worker import GradingError, GradingWorker

__all__ = [
    "GradingError",
    "Verdict",
    "equivalent",
    "extract",
    "gold_answer",
    "grade",
    "grade_answer",
    "warm_up",
]

_worker = GradingWorker()


def grade(response: str, gold: str) -> Verdict:
    """Grade a whole response (or a bare answer) against ``gold``.

    Args:
        response: A model's text; its answer is found by :func:`extract`.
        gold: The gold answer, or a gold solution that gives it behind ``####`` or in a box.

    Returns:
        ``UNPARSEABLE`` where the response gives no answer, else what :func:`grade_answer` says.

    Raises:
        GradingError: if the grading process cannot start.
    """
    expected = gold_answer(gold)
    answer = extract(response)
    if answer is None:
        # A response of nothing but the right words: extraction takes no prose for an answer.
        stated = len(response) <= MAX_ANSWER_LENGTH and expected and clean(response) == expected
        return Verdict.CORRECT if stated else Verdict.UNPARSEABLE
    return grade_answer(answer, expected)


def grade_answer(answer: str | None, gold: str) -> Verdict:
    """Grade an extracted answer (None: there was none) against the gold answer itself.

    Numbers are equal or not: there is no tolerance, except that a number which cannot be written
    out (1/3, a gold answer with the digits of a computer's float) may be given correctly rounded
    to at least six significant digits. A unit, a percent sign or a currency sign may be left out
    on one side; "50%" therefore equals both 50 and 0.5, which do not equal each other.

    Raises:
        GradingError: if the grading process cannot start.
    """
    if answer is None or len(answer) > MAX_ANSWER_LENGTH or len(gold) > MAX_ANSWER_LENGTH:
        return Verdict.UNPARSEABLE
    answer, gold = clean(answer), clean(gold)
    if not answer or not gold:
        return Verdict.UNPARSEABLE
    if answer == gold:
        return Verdict.CORRECT
    expected, given = parse_plain(gold), parse_plain(answer)
    if expected is not None and given is not None:
        return Verdict.CORRECT if same_plain(given, expected) else Verdict.INCORRECT
    if any(is_excessive(text) or is_no_formula(text) for text in (answer, gold)):
        return Verdict.UNPARSEABLE
    return _judge(to_latex(gold), to_latex(answer))


def equivalent(a: str, b: str) -> bool:
    """Whether two extracted answers say the same. Symmetric; used for votes and consensus.

    Raises:
        GradingError: if the grading process cannot start.
    """
    # math-verify treats its two sides differently, so both orders are asked, and always in the
    # same sequence. A pair that is too hard or unreadable one way is so the other way as well.
    first, second = sorted((a, b))
    verdict = grade_answer(first, second)
    if verdict is Verdict.INCORRECT:
        verdict = grade_answer(second, first)
    return verdict is Verdict.CORRECT


@lru_cache(maxsize=4096)
def gold_answer(gold: str) -> str:
    """The answer that the text of a data set gives: behind ``####``, in a box, or all of it."""
    if "####" in gold:
        return clean(gold.rpartition("####")[2])
    if "\\boxed" in gold or "\\fbox" in gold:
        return extract(gold) or ""
    return clean(gold)


def warm_up() -> None:
    """Start the grading process now, so that the first formula is not slower than the others.

    Raises:
        GradingError: if it cannot start.
    """
    _worker.warm_up()


@lru_cache(maxsize=8192)
def _judge(gold: str, answer: str) -> Verdict:
    """Compare two formulas in the worker; a pair that ran out of time is not tried again."""
    return _worker.judge(gold, answer)
