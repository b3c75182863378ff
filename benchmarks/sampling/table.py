"""Table of the sampling benchmark: a row per setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from benchmarks.comparison.statistics import ByQuestion, paired_contrast
from benchmarks.learning.results import Result
from benchmarks.sampling.choosing import choice_by_question
from econ_agents.statistics import Interval, mean_interval, proportion_interval

HEADER = (
    "| T | p | one answer, % (95%) | vote, % (95%) | vote over T = 0, points (95%) "
    "| tokens of an answer | cut off, % |"
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Figures of one setting."""

    temperature: float
    repetition_penalty: float
    answer: Interval
    """Share of right answers, in [0, 1], with questions as the unit."""
    vote: Interval
    """Share of questions whose majority is right."""
    over_greedy: Interval | None
    """Vote minus the greedy answer, in pairs; None for the greedy answer, or without one."""
    tokens: float
    cut_off: float
    """Share of answers that ended at the token limit."""

    @classmethod
    def of(cls, part: Result, greedy: Result | None) -> Self:
        """Return the figures of the counts of a setting."""
        right, votes = part["right"], part["vote_right"]
        vote = proportion_interval(sum(votes), len(votes))
        return cls(
            temperature=part["temperature"],
            repetition_penalty=part["repetition_penalty"],
            answer=_share(right),
            vote=vote,
            over_greedy=None if greedy is part else _over(part, greedy),
            tokens=part["completion_tokens"],
            cut_off=part["cut_off"] / sum(map(len, right)),
        )


def _share(right: Sequence[Sequence[int]]) -> Interval:
    """Return the share of right answers, whose interval has questions as the unit.

    If all questions are alike, a bootstrap would claim certainty: then single answers are the unit,
    or questions where these are all right or all wrong.
    """
    shares = [fmean(each) for each in right]
    if len(set(shares)) > 1 and len(right[0]) > 1:
        return mean_interval(shares, seed=0)
    if len(right[0]) == 1 or set(shares) in ({0.0}, {1.0}):
        return proportion_interval(round(sum(shares)), len(shares))
    return proportion_interval(sum(map(sum, right)), sum(map(len, right)))


def _over(part: Result, greedy: Result | None) -> Interval | None:
    """Return the vote minus that of the greedy answer; None without a common question."""
    if greedy is None or not set(part["questions"]) & set(greedy["questions"]):
        return None
    return paired_contrast(_votes(part), _votes(greedy)).interval


def _votes(part: Result) -> ByQuestion:
    """Return the verdict on the vote of each question."""
    verdicts = zip(part["questions"], part["vote_right"], strict=True)
    return {question: {0: float(right)} for question, right in verdicts}


def rows_of(parts: Mapping[str, Result]) -> list[Row]:
    """Return the rows of all settings, by penalty and temperature."""
    greedy = parts.get("T=0,p=1")
    rows = [Row.of(part, greedy) for part in parts.values()]
    return sorted(rows, key=lambda row: (row.repetition_penalty, row.temperature))


def table_lines(parts: Mapping[str, Result]) -> Iterator[str]:
    """Yield a Markdown table of all settings, and what choosing among them could add."""
    yield HEADER
    yield "|" + "---|" * (HEADER.count("|") - 1)
    for row in rows_of(parts):
        cells = (
            f"{row.temperature:g}",
            f"{row.repetition_penalty:g}",
            _percent(row.answer),
            _percent(row.vote),
            "–" if row.over_greedy is None else _percent(row.over_greedy, sign="+"),
            f"{row.tokens:.0f}",
            f"{100 * row.cut_off:.1f}",
        )
        yield "| " + " | ".join(cells) + " |"
    choice = choice_by_question(parts)
    if choice is not None:
        yield ""
        yield f"{choice}."


def _percent(interval: Interval, sign: str = "") -> str:
    mean, low, high = (100 * each for each in (interval.mean, interval.low, interval.high))
    return f"{mean:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"
