"""Find the answer in a response and grade it against the gold answer.

Grading never executes an answer. Numbers, tuples of numbers and words are compared exactly and
at once; everything else goes to math-verify in a process with limits on time and memory, which is
killed and replaced when it exceeds them. So every answer gets a verdict, and no answer can hang
or harm the run: a model that is trained against a grader finds every hole in it.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache

from econ_env.grading.extraction import boxed_answer, extract
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
    "is_correct",
    "readable_gold",
    "warm_up",
]

logger = logging.getLogger(__name__)

_BARE_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*([^{\s$][^$\n]*)")

_worker = GradingWorker()


def grade(response: str, gold: str) -> Verdict:
    """Grade a whole response (or a bare answer) against ``gold``.

    Args:
        response: A model's text; its answer is found by :func:`extract`.
        gold: The gold answer, or a gold solution that gives it behind ``####`` or in a box.

    Returns:
        ``UNPARSEABLE`` if the response gives no answer, else the verdict of :func:`grade_answer`.

    Raises:
        GradingError: if the grading process cannot start.
    """
    expected = gold_answer(gold)
    answer = extract(response)
    if answer is None:
        # Extraction takes no prose for an answer, but a response may be exactly the gold words.
        stated = len(response) <= MAX_ANSWER_LENGTH and expected and clean(response) == expected
        return Verdict.CORRECT if stated else Verdict.UNPARSEABLE
    return grade_answer(answer, expected)


def grade_answer(answer: str | None, gold: str) -> Verdict:
    """Grade an extracted answer (None: there was none) against the gold answer itself.

    There is no tolerance between numbers, with one exception: a number that cannot be written out
    (1/3, or a gold answer with the digits of a computer's float) may be given correctly rounded
    to at least six significant digits. A unit, a percent sign or a currency sign may be left out
    on one side; "50%" therefore equals both 50 and 0.5, which do not equal each other.

    A comparison that uses up its processor time is a ``TIMEOUT``, and not tried again. Neither the
    load of the machine nor any other answer changes a verdict.

    Raises:
        GradingError: if the grading process cannot start.
    """
    return _compared(answer, gold)


def is_correct(answer: str | None, gold: str) -> bool:
    """True if an extracted answer (None: there was none) equals the gold answer.

    Args:
        answer: result of :func:`extract`, or the value of a commitment.
        gold: The gold answer, or a gold solution that gives it behind ``####`` or in a box.

    Raises:
        GradingError: if the grading process cannot start.
    """
    return grade_answer(answer, gold_answer(gold)) is Verdict.CORRECT


# Executors of a team often give the same answers, and simulated ones have few to choose from.
@lru_cache(maxsize=16_384)
def _compared(answer: str | None, gold: str) -> Verdict:
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
    """True if two extracted answers mean the same. Symmetric; used for votes and consensus.

    Raises:
        GradingError: if the grading process cannot start.
    """
    # math-verify treats its two sides differently, so both orders are compared, always in the same
    # sequence. A pair that is too hard or unreadable in one order is so in the other as well.
    first, second = sorted((a, b))
    verdict = grade_answer(first, second)
    if verdict is Verdict.INCORRECT:
        verdict = grade_answer(second, first)
    return verdict is Verdict.CORRECT


@lru_cache(maxsize=4096)
def gold_answer(gold: str) -> str:
    r"""The answer in a gold text of a data set: behind ``####``, in a box, or the whole text.

    The last box counts. Some solutions of MATH box without braces, ``\boxed 2$``: such a box ends
    with its formula or line. A text whose box is empty or never closed gives "".
    """
    if "####" in gold:
        return clean(gold.rpartition("####")[2])
    if "\\boxed" in gold or "\\fbox" in gold:
        boxed = boxed_answer(gold)
        if boxed is not None:
            return boxed
        bare = _BARE_BOX.findall(gold)
        return clean(bare[-1]) if bare else ""
    return clean(gold)


@lru_cache(maxsize=4096)
def readable_gold(gold: str, question_id: str) -> str:
    """The result of :func:`gold_answer`, with a logged warning if no answer can ever equal it.

    The cache makes the log warn of such a question once, not in every episode.
    """
    expected = gold_answer(gold)
    if not expected or len(expected) > MAX_ANSWER_LENGTH:
        logger.warning(
            "Question %r: its gold answer cannot be read (%s), so every answer to it is graded "
            '"unparseable" and earns nothing. Correct the data set or leave the question out.',
            question_id,
            f"more than {MAX_ANSWER_LENGTH} characters" if expected else "it is empty",
        )
    return expected


def warm_up() -> None:
    """Start the grading process now, so that the first formula is not slower than the others.

    Raises:
        GradingError: if the process cannot start.
    """
    _worker.warm_up()


@lru_cache(maxsize=8192)
def _judge(gold: str, answer: str) -> Verdict:
    return _worker.judge(gold, answer)
