"""The numbers in ``infos``: the same keys at every reset and step, zero where nothing happened."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from econ_env.transcript import ClosedBy, RoundRecord

InfoKey = Literal[
    "team_reward",
    "ts",
    "al",
    "cc",
    "correct",
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
]
"""
==================  =============================================================================
team_reward         reward of the team, where the step closed a decision
ts, al, cc          the agent's own reward components, unweighted, where the step closed a decision
correct             1 if the step closed a decision and its commitment is correct
failed              1 if a request failed: the episode is truncated and is no result
decision_closed     1 if the step closed a decision
closed_by           why, as a number of :data:`CLOSED_BY_CODES`; 0 if it did not
round               rounds of the decision played, this step's included
decision            decisions of the episode closed, this step's included
commitments_asked   commitments that a model was asked for in this step, local ones included
commitments_json    those of them that were valid JSON as they came
commitments_novel   those replaced by the majority, because nobody had given their value
prompt_tokens       tokens read by all models in the episode so far
completion_tokens   tokens written by all models in the episode so far
==================  =============================================================================
"""

INFO_KEYS: tuple[InfoKey, ...] = get_args(InfoKey)
"""Every key of an agent's infos."""

CLOSED_BY_CODES: dict[ClosedBy, int] = {
    "bne_rounds": 1,
    "commitment_repeated": 2,
    "no_deviation": 3,
    "oscillation": 4,
    "failed": 5,
}
"""The value of ``closed_by`` in infos for every way a decision closes; 0 stands for "open"."""

Infos: TypeAlias = dict[InfoKey, NDArray[np.float64]]
"""Every key with an array of shape (n executors, B questions)."""


def zero_infos(n_agents: int, num_questions: int) -> Infos:
    """Fresh infos in which nothing has happened."""
    block = np.zeros((len(INFO_KEYS), n_agents, num_questions))
    return dict(zip(INFO_KEYS, block, strict=True))


def count_commitments(played: RoundRecord) -> tuple[int, int, int]:
    """Commitments of a round that were asked for, were valid JSON, and were novel."""
    asked = [record for record in played.commitments if record.called]
    return (
        len(asked),
        sum(record.parse_method == "json" for record in asked),
        sum(record.novel for record in asked),
    )
