"""The Gymnasium view plays the same game as the parallel one, for a single controller."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from econ_env import EconParallelEnv, JointEnv
from econ_env.envs.infos import AGENT_KEYS, INFO_KEYS
from tests.support import FlakyModel


def make(**settings: Any) -> JointEnv:
    return JointEnv(**{"dataset": "simulated", "llm": "simulated", **settings})


def test_spaces_hold_the_state_and_all_actions() -> None:
    env = make(n_agents=4)
    inner = EconParallelEnv(dataset="simulated", llm="simulated", n_agents=4)
    assert env.observation_space == inner.state_space
    assert env.action_space.shape == (8,)
    assert env.state_layout == inner.state_layout


def test_a_step_is_the_parallel_step_with_the_teams_reward() -> None:
    env = make(bne_rounds=2)
    env.reset(seed=3)
    inner = EconParallelEnv(dataset="simulated", llm="simulated", bne_rounds=2)
    inner.reset(seed=int(gymnasium.utils.seeding.np_random(3)[0].integers(2**31)))
    for low in (-0.6, 0.2):
        action = np.linspace(low, 0.9, 6)
        observation, reward, terminated, truncated, info = env.step(action)
        pairs = zip(inner.possible_agents, action.reshape(3, 2), strict=True)
        _, rewards, terminations, truncations, infos = inner.step(dict(pairs))
        np.testing.assert_array_equal(observation, inner.state())
        assert reward == infos["executor_0"]["team_reward"]
        assert terminated is terminations["executor_0"]
        assert truncated is truncations["executor_0"]
        np.testing.assert_array_equal(info["rewards"], list(rewards.values()))
        for key in AGENT_KEYS:
            np.testing.assert_array_equal(info[key], [infos[a][key] for a in infos])
    assert terminated
    assert env.transcript == inner.transcript


def test_infos_have_the_same_keys_at_reset_and_step() -> None:
    env = make()
    _, at_reset = env.reset(seed=0)
    at_step = env.step(np.zeros(6))[4]
    assert set(at_reset) == set(at_step) == {*INFO_KEYS, "rewards"}


def test_equal_seeds_give_equal_sequences_of_episodes() -> None:
    def ids(seed: int) -> list[str]:
        env = make()
        found = []
        for episode in range(3):
            env.reset(seed=seed if episode == 0 else None)
            found.append(env.transcript.question.id)
        return found

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


@pytest.mark.parametrize("action", [np.zeros(5), np.zeros((3, 2)), 0.0])
def test_a_wrong_shape_is_a_value_error(action: Any) -> None:
    env = make()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(6,\)"):
        env.step(action)


def test_nan_is_a_value_error_that_names_the_executor() -> None:
    env = make()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="executor_1"):
        env.step(np.array([0, 0, np.nan, 0, 0, 0]))


def test_step_needs_a_running_episode() -> None:
    env = make()
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(6))
    env.reset(seed=0)
    env.step(np.zeros(6))
    with pytest.raises(ResetNeeded):
        env.step(np.zeros(6))


def test_a_failed_request_truncates() -> None:
    model = FlakyModel(lambda request: request.role == "commit")
    env = make(llm=model, prompts="compact", embedder="hashing")
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(np.zeros(6))
    assert (reward, terminated, truncated, info["failed"]) == (0.0, False, True, 1.0)


def test_a_pickled_view_is_made_anew_from_its_arguments() -> None:
    env = make(n_agents=2, render_mode="ansi")
    env.reset(seed=0)
    copy = pickle.loads(pickle.dumps(env))  # noqa: S301 - our own bytes
    assert copy.action_space == env.action_space
    assert copy.render_mode == "ansi"
