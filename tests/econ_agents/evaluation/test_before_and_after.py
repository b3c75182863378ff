"""The effect of training, on episodes whose results and actions are known."""

from __future__ import annotations

import numpy as np
import pytest

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_metrics import CORRECT
from econ_agents.environments import ActionPart, TeamSpace
from econ_agents.evaluation.before_and_after import what_was_learned
from tests.econ_agents.builders import an_episode

N = 3
SPACE = TeamSpace(
    agents=("ann", "bob", "eve"),
    observation_size=1,
    action_size=2,
    state_size=1,
    layout=None,
    action_parts=(
        ActionPart(name="temperature", low=0.0, high=2.0),
        ActionPart(name="repetition_penalty", low=1.0, high=1.5),
    ),
)


def played(action: float, correct: bool, *, failed: bool = False) -> Episode:
    return an_episode(
        steps=1,
        failed=failed,
        actions=np.full((1, N, 2), action, np.float32),
        team_rewards=np.array([0.5 + correct / 4], np.float32),
        infos={CORRECT: np.full((1, N), correct, np.float32)},
    )


def test_the_same_questions_are_compared_and_actions_are_in_the_units_of_the_environment():
    before = [played(0.0, correct) for correct in (False, False, True, True)]
    after = [played(-0.5, correct) for correct in (False, True, True, True)]
    learned = what_was_learned(before, after, SPACE, seed=0)
    assert learned is not None
    assert learned.untrained.correct == 2
    assert learned.difference.mean == 0.25
    assert learned.actions["temperature/bob"] == pytest.approx((1.0, 0.5))
    assert "bob learned: temperature 1.00 -> 0.50, repetition penalty 1.25 -> 1.12" in (
        learned.lines()
    )
    assert learned.lines()[0].startswith("untrained team, one round: 2/4 = 50.0% (95%: ")
    assert learned.lines()[1].startswith("trained minus untrained, accuracy: +25.0 points (")


def test_a_question_counts_where_both_came_to_a_result():
    before = [played(0.0, False), played(0.0, True, failed=True), played(0.0, False)]
    after = [played(0.0, True), played(0.0, True), played(0.0, False)]
    learned = what_was_learned(before, after, SPACE, seed=0)
    assert learned is not None
    assert learned.difference.mean == 0.5


def test_nothing_is_compared_where_fewer_than_two_questions_came_to_a_result_in_both() -> None:
    before = [played(0.0, True), played(0.0, True), played(0.0, True)]
    after = [played(0.0, True), *[played(0.0, True, failed=True)] * 2]
    assert what_was_learned(before, after, SPACE, seed=0) is None
