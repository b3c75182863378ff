"""Table of the prompt benchmark: a row per arm, with its difference to a reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from benchmarks.learning.results import Result
from benchmarks.prompts.arms import Arm, single
from benchmarks.prompts.measuring import asked_commitments
from econ_agents.statistics import paired_difference

HEADER = (
    "| model | prompts | strategy | rule | accuracy, % | against, points (95%) "
    "| readable, % | copied, % | novel | tokens |"
)

Verdicts: TypeAlias = dict[str, int]
"""1 for every question that was answered right, else 0."""


def table_lines(llm: str, played: Mapping[Arm, Result]) -> Iterator[str]:
    """Yield a Markdown table; executors are compared with the plain question, teams with a vote."""
    yield HEADER
    yield "|" + "---|" * HEADER.count(" |")
    for arm, counts in played.items():
        reference = _reference(arm, played)
        yield _line(llm, arm, counts, reference)


def _reference(arm: Arm, played: Mapping[Arm, Result]) -> Verdicts | None:
    """Return the verdicts that an arm is compared with; None for the plain question itself."""
    if not arm.is_single:
        return _verdicts(played[arm], "vote_correct")
    plain = single("plain", strategy=False)
    if arm == plain or plain not in played:
        return None
    return _verdicts(played[plain], "correct")


def _verdicts(counts: Result, name: str) -> Verdicts:
    return dict(zip(counts["questions"], counts[name], strict=True))


def _line(llm: str, arm: Arm, counts: Result, reference: Verdicts | None) -> str:
    correct = counts["correct"]
    cells = [
        llm,
        arm.prompts,
        "yes" if arm.strategy else "no",
        "one executor" if arm.is_single else f"{arm.commitment_rule}, {arm.n_agents} executors",
        f"{100 * sum(correct) / max(len(correct), 1):.1f}",
        _difference(_verdicts(counts, "correct"), reference),
        *(("–",) * 3 if arm.is_single else _reading(counts)),
        f"{counts['tokens_per_question']:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _difference(correct: Verdicts, reference: Verdicts | None) -> str:
    # A question that failed in either arm is in neither.
    common = [question for question in correct if question in (reference or {})]
    if reference is None or len(common) < 2:
        return "–"
    ours, theirs = ([each[question] for question in common] for each in (correct, reference))
    found = paired_difference(ours, theirs, seed=0)
    mean, low, high = (100 * bound for bound in (found.mean, found.low, found.high))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def _reading(counts: Result) -> tuple[str, str, str]:
    """Return the shares of readable and of copied commitments in %, and the count of novel ones."""
    asked = asked_commitments(counts)
    if not asked:
        return "–", "–", "–"
    methods = counts["parse_methods"]
    unread = methods.get("none", 0) + methods.get("copied", 0)
    readable = f"{100 * (1 - unread / asked):.1f}"
    return readable, f"{100 * methods.get('copied', 0) / asked:.1f}", str(counts["novel"])
