"""The results of a run in a few plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from econ_agents.evaluation.before_and_after import Learned
from econ_agents.evaluation.report import Arm, EvaluationReport
from econ_agents.reporting.comparisons import main_contrast, plain_name, short
from econ_agents.reporting.saved_comparisons import Difference, Method, SavedComparison
from econ_agents.reporting.saved_results import Equilibrium
from econ_agents.statistics import Interval, in_percent, in_points, in_units
from econ_pages.text import plural

SAME_TOKENS = 0.01
"""Largest relative difference at which two numbers of tokens are called the same."""


def conclude(
    tested: tuple[EvaluationReport, Learned | None] | None,
    equilibria: Sequence[Equilibrium],
    comparisons: Sequence[SavedComparison] = (),
) -> list[str]:
    """Write what training and refinement changed, how good the team is, and what else is as good.

    Args:
        tested: test report of the run with its comparison to the untrained team; None if the run
            was not tested.
        equilibria: measurements of NashConv; the first one is told.
        comparisons: comparisons with other methods; the main contrast of each is told.
    """
    sentences: list[str] = []
    if tested is None:
        sentences.append("This run was not tested yet, so nobody knows what it learned.")
    else:
        report, learned = tested
        if learned is not None:
            sentences.append(_of_training(learned, report.baseline))
        if report.rounds > 1:
            sentences.append(_of_refinement(report))
        sentences.append(_of_level(report.baseline))
    sentences += [
        _of_contrast(*contrast, each)
        for each in comparisons
        if (contrast := main_contrast(each)) is not None
    ]
    if equilibria:
        sentences.append(_of_equilibrium(equilibria[0].interval))
    return sentences


def _of_training(learned: Learned, trained: Arm) -> str:
    tokens = _tokens(trained.tokens_per_question, learned.untrained.tokens_per_question)
    return _effect("Training", learned.difference, trained, "the untrained team", f"{tokens}.")


def _of_refinement(report: EvaluationReport) -> str:
    name = f"Refinement (up to {report.rounds} rounds)"
    ours, theirs = report.bne.tokens_per_question, report.baseline.tokens_per_question
    tokens = f"{_tokens(ours, theirs)}."
    if not report.right_to_wrong and not report.wrong_to_right and report.difference is not None:
        if report.right_to_wrong is not None:
            return f"{name} changed no verdict{tokens}"
        if report.difference.low == report.difference.high == 0:
            return f"{name} changed nothing{tokens}"
    if report.difference is None:
        return f"{name} was played, and is not compared{tokens}"
    flips = ""
    if report.right_to_wrong is not None:
        flips = (
            f" It turned {_count(report.wrong_to_right or 0, 'wrong answer')} right and "
            f"{_count(report.right_to_wrong, 'right answer')} wrong."
        )
    return _effect(name, report.difference, report.bne, "one round", f"{tokens}{flips}")


def _effect(cause: str, difference: Interval, arm: Arm, other: str, rest: str) -> str:
    measure = "accuracy" if arm.accuracy is not None else "the team reward"
    said = in_points if arm.accuracy is not None else in_units
    if difference.low > 0:
        return f"{cause} raised {measure} by {said(difference)} over {other}{rest}"
    if difference.high < 0:
        return f"{cause} lowered {measure} by {said(_opposite(difference))} against {other}{rest}"
    if difference.low == difference.high == 0:
        return f"{cause} changed nothing in {measure} against {other}{rest}"
    changed = said(difference, signed=True)
    return f"{cause} made no clear difference: {measure} changed by {changed} against {other}{rest}"


def _opposite(interval: Interval) -> Interval:
    return Interval(mean=-interval.mean, low=-interval.high, high=-interval.low)


def _tokens(ours: float | None, theirs: float | None) -> str:
    """Phrase for the tokens of a question in those of another; "" if they are not known."""
    if not ours or not theirs:
        return ""
    ratio = ours / theirs
    if abs(ratio - 1) <= SAME_TOKENS:
        return ", for the same tokens"
    if ratio >= 1.95:
        return f", for {ratio:.1f} times the tokens"
    return f", for {abs(ratio - 1):.0%} {'more' if ratio > 1 else 'fewer'} tokens"


def _of_level(arm: Arm) -> str:
    counts = "does not count" if arm.failed == 1 else "do not count"
    failed = f" {_count(arm.failed, 'failed episode')} {counts}." if arm.failed else ""
    if arm.accuracy is None or arm.correct is None:
        return f"The trained team's mean reward is {in_units(arm.team_reward)}.{failed}"
    tokens = ""
    if arm.tokens_per_question is not None:
        tokens = f", at {arm.tokens_per_question:,.0f} tokens a question"
    return (
        f"In one round the trained team answers {arm.correct} of {arm.episodes} test questions "
        f"right, {in_percent(arm.accuracy)}{tokens}.{failed}"
    )


def _of_contrast(
    ours: Method, theirs: Method, difference: Difference, comparison: SavedComparison
) -> str:
    us, them = (_as_played(each.name, comparison) for each in (ours, theirs))
    where = f"On {_count(comparison.questions, 'question')} of {short(comparison.dataset)}"
    tokens = _tokens(ours.tokens, theirs.tokens)
    if difference.finding == "better":
        return f"{where}, {us} did better than {them}, by {in_points(difference.accuracy)}{tokens}."
    if difference.finding == "worse":
        points = in_points(_opposite(difference.accuracy))
        return f"{where}, {us} did worse than {them}, by {points}{tokens}."
    points = in_points(difference.accuracy, signed=True)
    if difference.finding == "as good":
        return f"{where}, {us} did as well as {them}: {points}{tokens}."
    return f"{where}, it stayed open whether {us} does better than {them}: {points}{tokens}."


def _as_played(spec: str, comparison: SavedComparison) -> str:
    """Plain name of a method; a vote that nobody chose a temperature for is called so."""
    kind, _, settings = spec.partition(":")
    chosen = kind in comparison.tuned or "temperature=" in settings
    if kind != "self_consistency" or chosen:
        return plain_name(spec)
    return f"{plain_name(spec)} at its default temperature (not tuned)"


def _of_equilibrium(interval: Interval) -> str:
    if interval.low > 0:
        return f"Executors would still gain by deviating alone: NashConv is {in_units(interval)}."
    found = "No deviation of an executor alone was found to pay: NashConv is "
    if interval.high < 0:
        return (
            f"{found}{in_units(interval)}, below zero: what paid on the questions on which "
            "deviations were chosen loses on the others."
        )
    return f"{found}{in_units(interval)}, which is zero within its interval."


def _count(number: int, name: str) -> str:
    return f"{number} {plural(number, name)}"
