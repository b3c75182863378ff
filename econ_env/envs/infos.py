"""The numbers in ``infos``: the same keys at every reset and step, zero where nothing happened.

Of one agent after one step:

===================  ============================================================================
ts, al, cc           the agent's own reward components, unweighted, where the step closed a
                     decision
team_reward          reward of the team, where the step closed a decision
correct              1 if the step closed a decision and its commitment is correct
unparseable          where the step closed a decision: how many of its graded values (one for every
                     executor, one for the commitment) are missing or cannot be read, or all of
                     them if the gold answer cannot
timeout              the same for those that could not be compared in time, at two attempts: they
                     earn what a wrong answer earns, and are none
failed               1 if a request failed: the episode is truncated and is no result
decision_closed      1 if the step closed a decision
closed_by            why, as a number of :data:`CLOSED_BY_CODES`; 0 if it did not
round                rounds of the decision played, this step's included
decision             decisions of the episode closed, this step's included
commitments_asked    commitments that a model was asked for in this step, local ones included
commitments_json     those of them that were valid JSON as they came
commitments_novel    those replaced by the majority, because nobody had given their value
prompt_tokens        tokens read by all models in the episode so far
completion_tokens    tokens written by all models in the episode so far
===================  ============================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from econ_env.game.state_machine import Game
from econ_env.game.transcript import ClosedBy, Transcript

AGENT_KEYS = ("ts", "al", "cc")
"""Infos of which every agent has its own value."""

TEAM_KEYS = (
    "team_reward",
    "correct",
    "unparseable",
    "timeout",
    "failed",
    "decision_closed",
    "closed_by",
    "round",
    "decision",
    "commitments_asked",
    "commitments_json",
    "commitments_novel",
    "prompt_tokens",
    "completion_tokens",
)
"""Infos that are the same for all agents of a question."""

INFO_KEYS = AGENT_KEYS + TEAM_KEYS
"""Every key of an agent's infos."""

CLOSED_BY_CODES: dict[ClosedBy, int] = {
    "bne_rounds": 1,
    "commitment_repeated": 2,
    "no_deviation": 3,
    "oscillation": 4,
    "failed": 5,
}
"""The value of ``closed_by`` in infos for every way a decision closes; 0 stands for "open"."""

Infos: TypeAlias = dict[str, NDArray[np.float64]]
"""Every key with an array of shape (n executors, B questions)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a decision came to when it closed."""

    team_reward: float
    correct: bool
    """Whether its commitment is."""
    unparseable: int
    """Of the executors' answers and the commitment: how many have this verdict."""
    timeouts: int


class InfoBlock:
    """The infos of one step of n executors on B questions; zero until written."""

    def __init__(self, n_agents: int, num_questions: int) -> None:
        self._values = np.zeros((len(INFO_KEYS), n_agents, num_questions))

    def write_agents(self, rows: Sequence[int], components: NDArray[np.float64]) -> None:
        """Set ``AGENT_KEYS`` of some questions; ``components`` has the shape (3, rows, n)."""
        self._values[: len(AGENT_KEYS), :, rows] = components.swapaxes(1, 2)

    def write_team(self, rows: Sequence[int], reports: Sequence[tuple[float, ...]]) -> None:
        """Set ``TEAM_KEYS`` of some questions to one :func:`team_report` each."""
        self._values[len(AGENT_KEYS) :, :, rows] = np.array(reports).T[:, np.newaxis]

    def as_dict(self) -> Infos:
        """Every key with its array."""
        return dict(zip(INFO_KEYS, self._values, strict=True))


def team_report(game: Game, *, rounds: int, outcome: Outcome | None) -> tuple[float, ...]:
    """The values of ``TEAM_KEYS`` for one question after one step.

    Args:
        game: after its decision, if one closed, was settled.
        rounds: rounds played of the decision that the step belongs to.
        outcome: of the decision that the step closed; None if it closed none.
    """
    transcript = game.transcript
    failed = game.failed is not None
    closed = outcome is not None
    reason = game.closed_by if closed or failed else None
    # No commitment is new after these two: nothing was asked, or it did not come to one.
    silent = reason in ("no_deviation", "failed")
    return (
        *(
            (0.0, 0, 0, 0)
            if outcome is None
            else (outcome.team_reward, outcome.correct, outcome.unparseable, outcome.timeouts)
        ),
        failed,
        closed,
        0 if reason is None else CLOSED_BY_CODES[reason],
        rounds,
        game.decision,
        *((0, 0, 0) if silent else _count_commitments(transcript)),
        transcript.usage.prompt_tokens,
        transcript.usage.completion_tokens,
    )


def _count_commitments(transcript: Transcript) -> tuple[int, int, int]:
    """Commitments of the last round that were asked for, were valid JSON, and were novel."""
    played = transcript.decisions[-1].rounds[-1]
    asked = [record for record in played.commitments if record.called]
    return (
        len(asked),
        sum([record.parse_method == "json" for record in asked]),
        sum([record.novel for record in asked]),
    )
