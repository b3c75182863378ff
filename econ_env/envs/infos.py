"""The numbers in ``infos``: the same keys at every reset and step, zero if nothing happened.

Infos of one agent after one step:

===================  ============================================================================
ts, al, cc           the agent's own reward components, unweighted, if the step closed a decision
team_reward          reward of the team, if the step closed a decision
correct              1 if the step closed a decision and its commitment is correct
unparseable          number of graded values of the closed decision (one for every executor, one
                     for the commitment) that are missing or cannot be read; all of them if the
                     gold answer cannot be read
timeout              number of graded values of the closed decision that could not be compared in
                     time in two attempts; they earn as little as wrong answers but are not counted
                     as such
failed               1 if a request failed: the episode is truncated and has no result
decision_closed      1 if the step closed a decision
closed_by            reason for closing, a number of :data:`CLOSED_BY_CODES`; 0 if still open
round                rounds of the decision played, this step's included
decision             decisions of the episode closed, this step's included
commitment_period    rounds since the step's commitment had the same value before in its decision: 1
                     if it repeats, 2 if the values went A, B, A, else 0
commitments_asked    commitments that a model was asked for in this step, local ones included; not
                     the answers of a coordinator with a vote
commitments_json     asked commitments that were valid JSON without repair
commitments_novel    asked commitments replaced by the majority, since no member gave their value
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
from econ_env.game.transcript import NOT_ASKED_FOR, ClosedBy, Transcript

AGENT_KEYS = ("ts", "al", "cc")
"""Keys with a separate value for every agent."""

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
    "commitment_period",
    "commitments_asked",
    "commitments_json",
    "commitments_novel",
    "prompt_tokens",
    "completion_tokens",
)
"""Keys with one value for all agents of a question."""

INFO_KEYS = AGENT_KEYS + TEAM_KEYS
"""Every key of an agent's infos."""

CLOSED_BY_CODES: dict[ClosedBy, int] = {
    "bne_rounds": 1,
    "commitment_repeated": 2,
    "no_deviation": 3,
    "oscillation": 4,
    "failed": 5,
}
"""Code of every reason for closing a decision, as in ``closed_by``; 0 stands for "open"."""

Infos: TypeAlias = dict[str, NDArray[np.float64]]
"""Array of shape (n executors, B questions) under every key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Result of a closed decision."""

    team_reward: float
    correct: bool
    """True if the commitment is correct."""
    unparseable: int
    """Number of executors' answers and commitment with the verdict UNPARSEABLE, 0 to n + 1."""
    timeouts: int
    """Number of executors' answers and commitment with the verdict TIMEOUT, 0 to n + 1."""


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
        """The array of every key."""
        return dict(zip(INFO_KEYS, self._values, strict=True))


def team_report(game: Game, *, rounds: int, outcome: Outcome | None) -> tuple[float, ...]:
    """The values of ``TEAM_KEYS`` for one question after one step.

    Args:
        game: the game after the step; a decision that closed is already settled.
        rounds: number of rounds played in the decision that the step belongs to.
        outcome: result of the decision that the step closed; None if it closed none.
    """
    transcript = game.transcript
    failed = game.failed is not None
    closed = outcome is not None
    reason = game.closed_by if closed or failed else None
    # After these two no commitment is new: none was asked for, or the round did not get that far.
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
        *((0, 0, 0, 0) if silent else (game.commitment_period, *_count_commitments(transcript))),
        transcript.usage.prompt_tokens,
        transcript.usage.completion_tokens,
    )


def _count_commitments(transcript: Transcript) -> tuple[int, int, int]:
    """Numbers of commitments of the last round: asked for, valid JSON, and novel."""
    played = transcript.decisions[-1].rounds[-1]
    asked = [record for record in played.commitments if record.parse_method not in NOT_ASKED_FOR]
    return (
        len(asked),
        sum([record.parse_method == "json" for record in asked]),
        sum([record.novel for record in asked]),
    )
