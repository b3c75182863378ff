"""Learners that choose from a list play the same game as those that choose from a box."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete
from gymnasium.utils.env_checker import data_equivalence
from pettingzoo.test.api_test import api_test
from pettingzoo.test.parallel_test import parallel_api_test
from pettingzoo.utils.conversions import parallel_to_aec

from econ_env import DiscreteActions, EconParallelEnv, TextInfos


def make(**settings: Any) -> EconParallelEnv:
    return EconParallelEnv("simulated", "simulated", **settings)


def test_a_number_plays_the_point_that_it_stands_for() -> None:
    box, grid = make(), DiscreteActions(make(), bins=3)
    points = dict(zip(box.possible_agents, [[-1.0, 0.0], [0.0, 1.0], [1.0, -1.0]], strict=True))
    numbers = dict(zip(box.possible_agents, [1, np.int64(5), np.array(6)], strict=True))
    assert data_equivalence(box.reset(seed=3), grid.reset(seed=3))
    assert data_equivalence(box.step(points), grid.step(numbers))


def test_the_lowest_and_the_highest_number_reach_the_corners_of_the_box() -> None:
    env = DiscreteActions(make(n_agents=2), bins=4)
    env.reset(seed=0)
    env.step({"executor_0": 0, "executor_1": 15})
    low, high = env.transcript.decisions[0].rounds[0].executors
    assert (low.temperature, low.repetition_penalty) == (0.0, 0.8)
    assert (high.temperature, high.repetition_penalty) == (2.0, 1.5)


def test_spaces_are_discrete_and_always_the_same_objects() -> None:
    env = DiscreteActions(make(), bins=4)
    for agent in env.possible_agents:
        assert env.action_space(agent) == Discrete(16)
        assert env.action_space(agent) is env.action_space(agent) is env.action_spaces[agent]
    assert env.bins == 4
    assert "action_parts" not in env.metadata
    assert "action_parts" in env.unwrapped.metadata


@pytest.mark.parametrize("number", [-1, 25, 1.0, True, [0], None])
def test_what_is_no_number_of_the_space_is_an_error_that_names_the_agent(number: Any) -> None:
    env = DiscreteActions(make())
    env.reset(seed=0)
    actions = {**dict.fromkeys(env.agents, 0), "executor_1": number}
    with pytest.raises(ValueError, match="executor_1 must be whole numbers from 0 to 24"):
        env.step(actions)


def test_a_missing_agent_and_too_few_bins_are_errors() -> None:
    env = DiscreteActions(make())
    env.reset(seed=0)
    with pytest.raises(ValueError, match="missing: executor_2"):
        env.step({"executor_0": 0, "executor_1": 0})
    with pytest.raises(ValueError, match="bins must be a whole number >= 2, got 1"):
        DiscreteActions(make(), bins=1)


@pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")
def test_pettingzoos_contracts_hold_in_both_views() -> None:
    parallel_api_test(DiscreteActions(make(bne_rounds=2)), num_cycles=10)
    api_test(parallel_to_aec(DiscreteActions(make(bne_rounds=2))), num_cycles=10)


def test_it_goes_with_other_wrappers_and_can_be_pickled() -> None:
    for env in (TextInfos(DiscreteActions(make())), DiscreteActions(TextInfos(make()))):
        copy = pickle.loads(pickle.dumps(env))  # noqa: S301
        copy.reset(seed=0)
        assert copy.step(dict.fromkeys(copy.agents, 7))[4]["executor_0"]["response"]
