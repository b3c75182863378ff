"""Settlement of closed decisions: grade the answers, score the texts, settle the games."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econ_env.envs.infos import Outcome
from econ_env.envs.spaces import FloatArray
from econ_env.game.coordinator_tree import COORDINATOR
from econ_env.game.state_machine import Game
from econ_env.game.transcript import JudgedRecord, SettledRewards
from econ_env.grading.answers import Verdict, grade_answer, readable_gold
from econ_env.rewards import RewardWeights, TeamRewards, score_decisions

Values = NDArray[np.float64]

NOT_JUDGED = Outcome(team_reward=0.0, correct=False, unparseable=0, timeouts=0)
"""Result of a decision on a question without a gold answer."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Payment:
    """Rewards and results of k closed decisions."""

    agents: Values
    """Rewards of the executors, shape (k, n)."""
    components: Values
    """TS, AL and CC of the executors, shape (3, k, n)."""
    outcomes: tuple[Outcome, ...]
    """Result of each decision, for infos."""


def settle(
    games: Sequence[Game],
    *,
    responses: FloatArray,
    commitments: FloatArray,
    weights: Sequence[RewardWeights],
    fidelity_weight: float,
) -> Payment:
    """Reward the closed decisions and settle each game, which then goes on or ends.

    A game whose question has no gold answer is settled without rewards: nothing is judged, and all
    its numbers are zero.

    Args:
        games: k games in the phase "settle", each on a question with a gold answer.
        responses: embeddings of their executors' responses, shape (k, n, D).
        commitments: embeddings of their commitments, shape (k, D).
        weights: reward weights of every game.
        fidelity_weight: share of fidelity in CC.
    """
    golds = [readable_gold(game.question.gold, game.question.id) for game in games]
    executors, committed = _grade(games, golds)
    count, size, _ = responses.shape
    answered = np.array([[answer is not None for answer in game.answers] for game in games])
    concluded = np.array([_value(game) is not None for game in games])
    correct = np.array([[v is Verdict.CORRECT for v in row] for row in executors])
    commitment_correct = np.array([v is Verdict.CORRECT for v in committed])
    agents, components, team = np.empty((count, size)), np.empty((3, count, size)), np.empty(count)
    # One call for all games with equal weights: score_decisions takes one set for its batch.
    for shared in dict.fromkeys(weights):
        index = [k for k, own in enumerate(weights) if own == shared]
        rewards = score_decisions(
            responses=responses[index],
            commitments=commitments[index],
            answered=answered[index],
            committed=concluded[index],
            correct=correct[index],
            commitment_correct=commitment_correct[index],
            weights=shared,
            fidelity_weight=fidelity_weight,
        )
        agents[index], team[index] = rewards.agents, rewards.team
        components[:, index] = rewards.ts, rewards.al, rewards.cc
        judged = [_judged(games[k], golds[k], [*executors[k], committed[k]]) for k in index]
        for k, record in zip(index, _records(rewards, judged), strict=True):
            games[k].settle(record)
    outcomes = tuple(
        Outcome(
            team_reward=reward,
            correct=own is Verdict.CORRECT,
            unparseable=[*row, own].count(Verdict.UNPARSEABLE),
            timeouts=[*row, own].count(Verdict.TIMEOUT),
        )
        for reward, row, own in zip(team.tolist(), executors, committed, strict=True)
    )
    return Payment(agents=agents, components=components, outcomes=outcomes)


def _grade(
    games: Sequence[Game], golds: Sequence[str]
) -> tuple[list[list[Verdict]], list[Verdict]]:
    """Verdicts on the answers of every game's executors, and on its commitment."""
    return (
        [
            [grade_answer(answer, gold) for answer in game.answers]
            for game, gold in zip(games, golds, strict=True)
        ],
        [grade_answer(_value(game), gold) for game, gold in zip(games, golds, strict=True)],
    )


def _value(game: Game) -> str | None:
    return None if game.commitment is None else game.commitment.value


def _judged(game: Game, gold: str, verdicts: Sequence[Verdict]) -> tuple[JudgedRecord, ...]:
    """Record of the verdicts on the answers of one game's executors and on its commitment."""
    answers = [(f"executor_{i}", answer) for i, answer in enumerate(game.answers)]
    return tuple(
        JudgedRecord(agent=agent, answer=answer, gold=gold, verdict=verdict.value)
        for (agent, answer), verdict in zip(
            [*answers, (COORDINATOR, _value(game))], verdicts, strict=True
        )
    )


def _records(
    rewards: TeamRewards, judged: Sequence[tuple[JudgedRecord, ...]]
) -> list[SettledRewards]:
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
        judged,
        strict=True,
    )
    return [
        SettledRewards(
            team=team,
            agents=tuple(agents),
            components={"TS": tuple(ts), "AL": tuple(al), "CC": tuple(cc)},
            team_components={"TS": team_ts, "AL": team_al, "CC": team_cc},
            judged=verdicts,
        )
        for team, agents, ts, al, cc, team_ts, team_al, team_cc, verdicts in columns
    ]
