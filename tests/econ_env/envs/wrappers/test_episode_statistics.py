"""Returns and lengths of episodes, without the ones that have no result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pettingzoo.test.parallel_test import parallel_api_test

from econ_env import EconParallelEnv, EpisodeStatistics, RewardComponents
from econ_env.envs.infos import INFO_KEYS
from tests.support import FlakyModel


def make(**settings: Any) -> EconParallelEnv:
    return EconParallelEnv(**{"dataset": "simulated", "llm": "simulated", **settings})


def test_a_return_is_the_sum_of_all_rewards_of_the_episode() -> None:
    env = EpisodeStatistics(make(max_rounds=3))
    _, infos = env.reset(seed=2)
    for info in infos.values():
        assert tuple(info) == (*INFO_KEYS, "episode_return", "episode_length")
        assert (info["episode_return"], info["episode_length"]) == (0.0, 0.0)
    paid = dict.fromkeys(env.agents, 0.0)
    team = 0.0
    for step in range(1, 4):
        _, rewards, _, _, infos = env.step(dict.fromkeys(env.agents, np.full(2, 0.2 * step)))
        for agent, info in infos.items():
            paid[agent] += rewards[agent]
            assert info["episode_return"] == paid[agent]
            assert info["episode_length"] == step
        team += infos["executor_0"]["team_reward"]
    (summary,) = env.episodes
    assert (summary.returns, summary.team_return, summary.length) == (paid, team, 3)
    assert len(set(paid.values())) > 1
    assert summary.correct == (infos["executor_0"]["correct"] == 1)


def test_the_last_episodes_are_kept_and_one_cut_short_is_none() -> None:
    env = EpisodeStatistics(make(max_rounds=2), window=2)
    for _ in range(3):
        env.reset()
        while env.agents:
            env.step(dict.fromkeys(env.agents, np.zeros(2)))
    before = list(env.episodes)
    assert len(before) == 2
    env.reset()
    env.step(dict.fromkeys(env.agents, np.zeros(2)))
    _, infos = env.reset()
    assert list(env.episodes) == before
    assert infos["executor_0"]["episode_length"] == 0


def test_an_episode_without_a_result_is_counted_but_has_no_summary() -> None:
    model = FlakyModel(lambda request: request.role == "execute")
    env = EpisodeStatistics(make(llm=model, prompts="compact", embedder="hashing"))
    env.reset(seed=0)
    env.step(dict.fromkeys(env.agents, np.zeros(2)))
    assert (list(env.episodes), env.failed) == ([], 1)


def test_vectors_of_components_add_up_too() -> None:
    env = EpisodeStatistics(RewardComponents(make()))
    env.reset(seed=0)
    _, rewards, _, _, infos = env.step(dict.fromkeys(env.agents, np.zeros(2)))
    for agent, info in infos.items():
        np.testing.assert_array_equal(info["episode_return"], rewards[agent])


@pytest.mark.parametrize("window", [0, 1.5, True])
def test_a_window_that_keeps_nothing_is_an_error(window: Any) -> None:
    with pytest.raises(ValueError, match="window must be a whole number >= 1"):
        EpisodeStatistics(make(), window=window)


def test_the_wrapped_environment_keeps_pettingzoos_contract() -> None:
    parallel_api_test(EpisodeStatistics(make(bne_rounds=2)), num_cycles=10)
