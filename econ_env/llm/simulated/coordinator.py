"""Commitments of the simulated coordinator: plurality, and a check if there is a tie.

The leaders are the answers with the most votes. The coordinator commits to a single leader. Among
L > 1 leaders it solves the problem again: with probability CHECK it identifies the correct leader,
if there is one; otherwise it takes any of them with equal probability::

    P(commit correct) = 1                         if the correct answer leads alone
                        CHECK + (1 - CHECK) / L   if it is one of L leaders
                        0                         otherwise

So a team profits from wrong answers that differ, because they leave the coordinator something to
check, while two cold executors that share a misconception outvote a third executor that is right.
The order of the responses has no influence: executors of equal skill are exchangeable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

CHECK = 0.8
"""Probability that the coordinator's own check identifies the correct one of several leaders."""

_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """The votes of one commitment."""

    leaders: tuple[str, ...]
    """Answers with the most votes, empty if there are no answers."""
    votes: int
    """Votes of each leader."""
    voters: int
    """Responses with an answer."""


def read_response(text: str) -> tuple[str, str | None]:
    """Split a one-line response into worked steps and answer (the last box; None without one)."""
    boxes = list(_BOXED.finditer(text))
    if not boxes:
        return text.strip(" ;"), None
    return text[: boxes[-1].start()].strip(" ;"), boxes[-1][1].strip()


def tally(answers: Iterable[str | None]) -> Tally:
    """Count answers; None is not a vote."""
    counts: dict[str, int] = {}
    for answer in answers:
        if answer is not None:
            counts[answer] = counts.get(answer, 0) + 1
    votes = max(counts.values(), default=0)
    return Tally(
        leaders=tuple([answer for answer, count in counts.items() if count == votes]),
        votes=votes,
        voters=sum(counts.values()),
    )


def chance_of(tally: Tally, correct: str) -> dict[str, float]:
    """Return P(value) of the commitment for every leader; empty if there are no answers."""
    leaders = tally.leaders
    found = CHECK if correct in leaders else 0.0
    return {
        leader: (1 - found) / len(leaders) + (found if leader == correct else 0.0)
        for leader in leaders
    }


def choose(tally: Tally, correct: str, uniform: float) -> str | None:
    """Return the value that one uniform number in [0, 1) selects; None if there are no answers."""
    leaders = tally.leaders
    if not leaders:
        return None
    found = CHECK if correct in leaders else 0.0
    if uniform < found:
        return correct
    # min: rounding may push a number just below 1 up to 1.
    index = int((uniform - found) / (1 - found) * len(leaders))
    return leaders[min(index, len(leaders) - 1)]


@lru_cache(maxsize=16384)
def commitment_text(reason: str, value: str | None, votes: int, voters: int) -> str:
    """Return the coordinator's reply: JSON of reason, value, confidence, checklist, in this order.

    The confidence is the share of votes for the value.
    """
    return json.dumps(
        {
            "reason": reason,
            "value": value,
            "confidence": round(votes / voters, 2) if voters else 0.0,
            "checklist": {
                "agree": voters > 0 and votes == voters,
                "arithmetic": value is not None,
                "units": value is not None,
            },
        },
        ensure_ascii=False,
    )
