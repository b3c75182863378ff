r"""Extraction and grading of answers: the public names of :mod:`econ_env.grading`.

>>> from econ_env import answers
>>> answers.grade("The total is \boxed{1,200}.", "1200").value
'correct'
"""

from econ_env.grading.answers import (
    GradingError,
    Verdict,
    equivalent,
    extract,
    gold_answer,
    grade,
    grade_answer,
    is_correct,
    readable_gold,
    warm_up,
)

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
