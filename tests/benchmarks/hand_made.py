"""Hand-made records with known answers, for tests of reports and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.comparison.findings import About
from benchmarks.comparison.records import GradedRound, Record
from econ_env.llm.types import Usage


def played(right: Sequence[bool], value_right: bool, *, vote_right: bool | None = None) -> Any:
    """Make a round of responses that are right ("1") or wrong ("2"), and its answer."""
    votes = 2 * sum(right) > len(right) if vote_right is None else vote_right
    return GradedRound(
        answers=tuple("1" if each else "2" for each in right),
        right=tuple(right),
        value="1" if value_right else "2",
        value_right=value_right,
        vote_right=votes,
        unanimous=len(set(right)) == 1,
        usage=Usage(),
    )


def record(
    method: str,
    question: str,
    *rounds: GradedRound | bool,
    seed: int = 0,
    usage: Usage | None = None,
    **other: Any,
) -> Record:
    """Make a record that ended as its last round did; ``True`` stands for one right response."""
    graded = tuple(
        each if isinstance(each, GradedRound) else played([each], each) for each in rounds
    )
    values: dict[str, Any] = {
        "failed": None,
        "verdict": "correct" if graded and graded[-1].value_right else "incorrect",
        "closed_by": "",
        "cost_usd": None,
        "longest_prompt_tokens": 10,
        "wall_s": 0.5,
    }
    return Record(
        method=method,
        seed=seed,
        question=question,
        rounds=graded,
        usage=usage or Usage(prompt_tokens=10, completion_tokens=5, requests=1),
        **{**values, **other},
    )


def failed(method: str, question: str, *, seed: int = 0, usage: Usage | None = None) -> Record:
    """Make a record of a question with a failed request."""
    return record(
        method, question, seed=seed, usage=usage, failed="server down", verdict="", wall_s=9.0
    )


def column(method: str, rights: Iterable[bool], *, seed: int = 0) -> list[Record]:
    """Make one record per question, right or wrong; questions are ``q0``, ``q1``, …"""
    return [record(method, f"q{i}", right, seed=seed) for i, right in enumerate(rights)]


def about(*methods: str, questions: int = 10, seeds: Sequence[int] = (0,), **other: Any) -> About:
    """Describe a comparison."""
    values: dict[str, Any] = {"dataset": "arithmetic", "llm": "bundled", **other}
    return About(methods=methods, questions=questions, seeds=tuple(seeds), **values)
