"""A reward's components, for learners that weigh them themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from econ_env import EconParallelEnv, RewardComponents
from tests.support import FlakyModel

WEIGHTS = {"ts": 0.5, "al": 0.3, "cc": 0.2}


def make(**settings: Any) -> EconParallelEnv:
    return EconParallelEnv(**{"dataset": "simulated", "llm": "simulated", **settings})


def test_the_weighted_sum_of_the_components_is_the_reward() -> None:
    plain = make(bne_rounds=2, reward_weights=WEIGHTS)
    apart = RewardComponents(make(bne_rounds=2, reward_weights=WEIGHTS))
    assert apart.reward_names == ("ts", "al", "cc")
    weights = [WEIGHTS[name] for name in apart.reward_names]
    seen: list[float] = []
    for seed in range(5):
        plain.reset(seed=seed)
        apart.reset(seed=seed)
        while plain.agents:
            point = np.random.default_rng([seed, len(seen)]).uniform(-1, 1, 2)
            paid = plain.step(dict.fromkeys(plain.agents, point))[1]
            parts = apart.step(dict.fromkeys(apart.agents, point))[1]
            for agent, vector in parts.items():
                assert vector in apart.reward_space(agent)
                assert vector @ weights == pytest.approx(paid[agent], abs=1e-6)
            seen.append(sum(paid.values()))
    assert max(seen) > 0


def test_every_agent_has_a_vector_of_its_own_and_an_open_decision_pays_nothing() -> None:
    env = RewardComponents(make(bne_rounds=2))
    env.reset(seed=0)
    rewards = env.step(dict.fromkeys(env.agents, np.zeros(2)))[1]
    assert env.agents
    assert all(vector.tolist() == [0.0, 0.0, 0.0] for vector in rewards.values())
    assert not np.shares_memory(rewards["executor_0"], rewards["executor_1"])
    assert env.reward_space("executor_0") is env.reward_spaces["executor_0"]


def test_a_failed_episode_pays_nothing() -> None:
    model = FlakyModel(lambda request: request.role == "commit")
    env = RewardComponents(make(llm=model, prompts="compact", embedder="hashing"))
    env.reset(seed=0)
    _, rewards, _, truncations, _ = env.step(dict.fromkeys(env.agents, np.zeros(2)))
    assert all(truncations.values())
    assert all(vector.tolist() == [0.0, 0.0, 0.0] for vector in rewards.values())
