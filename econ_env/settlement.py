"""Paying for closed decisions: grade the answers, score the texts, tell the games."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from econ_env.answers import Verdict, gold_answer, grade_answer
from econ_env.game import Game
from econ_env.observation import FloatArray
from econ_env.rewards import RewardWeights, TeamRewards, score_decisions
from econ_env.transcript import SettledRewards

Flags = NDArray[np.bool_]
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Verdicts:
    """What grading found in k closed decisions."""

    answered: Flags
    """Shape (k, n), as ``correct``."""
    correct: Flags
    committed: Flags
    """Shape (k,), as ``commitment_correct``."""
    commitment_correct: Flags


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Payment:
    """What k closed decisions were worth."""

    agents: Values
    """Rewards of the executors, shape (k, n)."""
    components: Values
    """TS, AL and CC of the executors, shape (3, k, n)."""
    team: Values
    """Shape (k,)."""
    correct: Flags
    """Whether the commitment is correct, shape (k,)."""


def settle(
    games: Sequence[Game],
    *,
    responses: FloatArray,
    commitments: FloatArray,
    weights: Sequence[RewardWeights],
    fidelity_weight: float,
) -> Payment:
    """Reward the decisions that are closed and let each game go on or end.

    Args:
        games: k games in the phase "settle".
        responses: embeddings of their executors' responses, shape (k, n, D).
        commitments: embeddings of their commitments, shape (k, D).
        weights: reward weights of every game.
        fidelity_weight: share of fidelity in CC.
    """
    verdicts = _grade(games)
    count, size, _ = responses.shape
    agents, components, team = np.empty((count, size)), np.empty((3, count, size)), np.empty(count)
    for shared in dict.fromkeys(weights):
        index = [k for k, own in enumerate(weights) if own == shared]
        rewards = score_decisions(
            responses=responses[index],
            commitments=commitments[index],
            answered=verdicts.answered[index],
            committed=verdicts.committed[index],
            correct=verdicts.correct[index],
            commitment_correct=verdicts.commitment_correct[index],
            weights=shared,
            fidelity_weight=fidelity_weight,
        )
        agents[index], team[index] = rewards.agents, rewards.team
        components[:, index] = rewards.ts, rewards.al, rewards.cc
        for k, record in zip(index, _records(rewards), strict=True):
            games[k].settle(record)
    return Payment(
        agents=agents, components=components, team=team, correct=verdicts.commitment_correct
    )


def _grade(games: Sequence[Game]) -> _Verdicts:
    answers = [game.answers for game in games]
    values = [None if game.commitment is None else game.commitment.value for game in games]
    golds = [gold_answer(game.question.gold) for game in games]
    return _Verdicts(
        answered=np.array([[answer is not None for answer in row] for row in answers]),
        correct=np.array(
            [
                [_is_correct(answer, gold) for answer in row]
                for row, gold in zip(answers, golds, strict=True)
            ]
        ),
        committed=np.array([value is not None for value in values]),
        commitment_correct=np.array(
            [_is_correct(value, gold) for value, gold in zip(values, golds, strict=True)]
        ),
    )


@lru_cache(maxsize=16_384)
def _is_correct(answer: str | None, gold: str) -> bool:
    return answer is not None and grade_answer(answer, gold) is Verdict.CORRECT


def _records(rewards: TeamRewards) -> list[SettledRewards]:
    """One record per game, with Python numbers."""
    columns = zip(
        rewards.team.tolist(),
        rewards.agents.tolist(),
        rewards.ts.tolist(),
        rewards.al.tolist(),
        rewards.cc.tolist(),
        rewards.team_ts.tolist(),
        rewards.team_al.tolist(),
        rewards.team_cc.tolist(),
        strict=True,
    )
    return [
        SettledRewards(
            team=team,
            agents=tuple(agents),
            components={"TS": tuple(ts), "AL": tuple(al), "CC": tuple(cc)},
            team_components={"TS": team_ts, "AL": team_al, "CC": team_cc},
        )
        for team, agents, ts, al, cc, team_ts, team_al, team_cc in columns
    ]
