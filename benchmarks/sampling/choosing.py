"""Estimate of what choosing T and penalty by the question could add.

A setting that looks best for a question on a few samples often was lucky. So it is chosen on all
samples but one and judged by that one, for each of them in turn (cross-fitting), and so is the
fixed setting that it is compared with. A few samples choose badly where settings are close, so this
is a careful estimate: who knew the chances themselves could choose better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.comparison.statistics import paired_contrast
from benchmarks.learning.results import Result
from econ_agents.statistics import Interval


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Shares of right answers by two ways to choose a setting, in [0, 1]."""

    settings: int
    questions: int
    by_question: float
    """The best setting of each question; of equal ones, the one that is better over all."""
    fixed: float
    """The best setting over all questions."""
    gain: Interval
    """Their difference, over questions."""

    def __str__(self) -> str:
        """Return it in one sentence."""
        gain, low, high = (100 * each for each in (self.gain.mean, self.gain.low, self.gain.high))
        return (
            f"Choosing among {self.settings} settings by the question: {self.by_question:.1%} of "
            f"single answers are right, with the best fixed setting {self.fixed:.1%}: {gain:+.1f} "
            f"points ({low:+.1f} to {high:+.1f}), each chosen on the other samples of "
            f"{self.questions} questions"
        )


def choice_by_question(parts: Mapping[str, Result]) -> Choice | None:
    """Return the worth of choosing by the question, among settings with several samples.

    None if there are fewer than two such settings, or no question that all of them answered.
    """
    several = [part for part in parts.values() if len(part["right"][0]) > 1]
    by_id = [dict(zip(part["questions"], part["right"], strict=True)) for part in several]
    if len(several) < 2 or not (common := set.intersection(*map(set, by_id))):
        return None
    questions = [question for question in several[0]["questions"] if question in common]
    # (settings, questions, samples)
    right = np.array([[found[question] for question in questions] for found in by_id], dtype=float)
    ours, theirs = [], []
    for judged in range(right.shape[2]):
        others = np.delete(right, judged, axis=2).mean(axis=2)
        # The best over all comes first, and the first of equal ones is chosen.
        order = np.argsort(-others.mean(axis=1), kind="stable")
        verdicts = right[order, :, judged]
        ours.append(verdicts[others[order].argmax(axis=0), np.arange(len(questions))])
        theirs.append(verdicts[0])
    chosen, fixed = (np.mean(each, axis=0) for each in (ours, theirs))
    contrast = paired_contrast(
        {question: {0: value} for question, value in zip(questions, chosen, strict=True)},
        {question: {0: value} for question, value in zip(questions, fixed, strict=True)},
    )
    return Choice(
        settings=len(several),
        questions=len(questions),
        by_question=float(chosen.mean()),
        fixed=float(fixed.mean()),
        gain=contrast.interval,
    )
