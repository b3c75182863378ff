"""Failed episodes by cause, and the end of a run in which nothing succeeds."""

from __future__ import annotations

import re
from collections.abc import Iterable

from econ_env.llm.types import ModelError

_WHO = re.compile(r"(?:\w+ \()?model (?P<model>'[^']*')\)?: (?P<error>.*)", re.DOTALL)
"""Reason for a failure as the game writes it: agent, model, error; or without the agent."""
_VARYING = re.compile(r"\w*\d\w*")
"""Word with a digit, such as the number of a request: two failures may differ in it."""


class NothingSucceeds(ModelError):
    """So many episodes in a row have failed that the next one would fail as well."""

    exit_code = 1


def failures_by_cause(reasons: Iterable[str]) -> list[tuple[str, int]]:
    """Group the reasons of failed episodes by cause, commonest first.

    The agent that failed and words with a digit do not distinguish causes; the words of the first
    failure stand for all of its cause.

    Args:
        reasons: ``Transcript.failed`` of each failed episode, or the like.

    Returns:
        The words of each cause and its number of failures.
    """
    words: dict[str, str] = {}
    counts: dict[str, int] = {}
    for reason in reasons:
        who = _WHO.fullmatch(reason)
        cause = reason if who is None else who["error"]
        key = _VARYING.sub("#", cause)
        words.setdefault(key, cause)
        counts[key] = counts.get(key, 0) + 1
    commonest = sorted(counts, key=lambda key: -counts[key])
    return [(words[key], counts[key]) for key in commonest]


def failure_lines(reasons: Iterable[str]) -> list[str]:
    """Return a line for each cause: its number of failures, and its words."""
    return [f"{count} x {cause}" for cause, count in failures_by_cause(reasons)]


class FailureWatch:
    """Counter of the failed episodes since the last one with a result.

    Args:
        limit: number of failures in a row that ends the run; None: no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._reasons: list[str] = []

    def note(self, results: Iterable[str | None]) -> None:
        """Count episodes that have ended: None for each with a result, else the reason.

        Raises:
            NothingSucceeds: the limit is reached. The count begins again.
        """
        for reason in results:
            if reason is None:
                self._reasons.clear()
            elif self._limit is not None:
                self._reasons.append(reason)
        if self._limit is not None and len(self._reasons) >= self._limit:
            reasons, self._reasons = self._reasons, []
            raise NothingSucceeds(_explained(reasons))


def _explained(reasons: list[str]) -> str:
    """Return what has failed, how often, and what to do."""
    cause, count = failures_by_cause(reasons)[0]
    models = dict.fromkeys(who["model"] for who in map(_WHO.fullmatch, reasons) if who is not None)
    doctor = f"econ-env doctor --llm {next(iter(models), 'MODEL')}"
    return (
        f"the last {len(reasons)} episodes failed and none succeeded, so nothing more is asked. "
        f"The commonest failure ({count} of {len(reasons)}): {cause}\n"
        f"To see what the model can do: {doctor}. The limit is max_failures_in_a_row."
    )
