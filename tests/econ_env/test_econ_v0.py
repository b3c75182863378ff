"""The versioned module: three views with the same arguments, and the same rewards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from econ_env import econ_v0

EPISODES = 12


def chosen() -> np.ndarray:
    """Actions of all rounds, shape (rounds, 3, 2)."""
    return np.random.default_rng(0).uniform(-1, 1, (EPISODES * 6, 3, 2))


def paid_in_parallel(**settings: Any) -> np.ndarray:
    """The sum of every agent's own rewards over some episodes."""
    env = econ_v0.parallel_env("simulated", "simulated", **settings)
    total, rounds = np.zeros(3), iter(chosen())
    for episode in range(EPISODES):
        env.reset(seed=3 if episode == 0 else None)
        while env.agents:
            actions = dict(zip(env.agents, next(rounds), strict=True))
            total += list(env.step(actions)[1].values())
    return total


def paid_in_turn(env: Any) -> np.ndarray:
    """The same, read by every agent through ``last()`` at its own turns."""
    total, rounds = np.zeros(3), iter(chosen())
    for episode in range(EPISODES):
        env.reset(seed=3 if episode == 0 else None)
        actions: dict[str, Any] = {}
        for agent in env.agent_iter():
            _, reward, terminated, truncated, _ = env.last()
            total[env.possible_agents.index(agent)] += reward
            if terminated or truncated:
                env.step(None)
                continue
            if agent == env.possible_agents[0]:
                actions = dict(zip(env.possible_agents, next(rounds), strict=True))
            env.step(actions[agent])
    return total


@pytest.mark.parametrize("make", [econ_v0.env, econ_v0.raw_env])
@pytest.mark.parametrize(
    "settings", [{}, {"bne_rounds": 3}, {"bne_rounds": 2, "max_rounds": 2}], ids=str
)
def test_every_agent_reads_its_own_rewards_through_last(
    make: Any, settings: dict[str, Any]
) -> None:
    expected = paid_in_parallel(**settings)
    assert len(set(expected)) == 3
    assert expected.min() > 0
    np.testing.assert_array_equal(
        paid_in_turn(make("simulated", "simulated", **settings)), expected
    )


def test_right_after_its_own_step_an_agent_has_nothing_to_read() -> None:
    # The trap: libraries that take env.rewards after a step pay only the last executor.
    env = econ_v0.env("simulated", "simulated")
    env.reset(seed=3)
    seen = []
    for agent in list(env.possible_agents):
        env.step(np.zeros(2, dtype=np.float32))
        seen.append(env.rewards[agent])
    assert seen[:2] == [0, 0]
    assert seen[2] > 0


@pytest.mark.parametrize("make", [econ_v0.parallel_env, econ_v0.env, econ_v0.raw_env])
def test_data_set_and_models_may_come_first_without_names(make: Any) -> None:
    config = make("simulated", "simulated", n_agents=2).unwrapped.config
    assert (config.dataset, config.llm, config.n_agents) == ("simulated", "simulated", 2)
    with pytest.raises(TypeError, match="positional argument"):
        make("simulated", "simulated", 2)


def test_random_wrappers_draw_from_a_generator_that_the_seed_restarts() -> None:
    env = econ_v0.parallel_env("simulated", "simulated", seed=5)
    unseeded = env.np_random.random()
    env.reset(seed=5)
    assert env.np_random.random() == unseeded
    drawn = env.np_random.random()
    env.reset()
    assert env.np_random.random() != drawn
    env.reset(seed=6)
    assert env.np_random.random() != unseeded
    in_turn: Any = econ_v0.env("simulated", "simulated", seed=5)
    assert in_turn.unwrapped.np_random.random() == unseeded
