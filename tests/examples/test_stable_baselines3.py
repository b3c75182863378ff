"""Tests that stable-baselines3 learns on the Gymnasium views without changes."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

from tests.examples.conftest import Played

Run = Callable[..., dict[str, float]]
LEARNED = 0.1
"""Least gain of a trained policy over random actions: more than that of the middle of the box,
where policies start, which is 0.08. The standard error of a difference is 0.013."""


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "algorithm", "steps"),
    [
        ("sb3_single.py", "ppo", 3072),
        ("sb3_vector.py", "sac", 2000),
    ],
)
def test_it_learns_actions_that_earn_more_than_random_ones(
    script: str, algorithm: str, steps: int, run_example: Run, played: Played
) -> None:
    numbers = run_example(script, "--algorithm", algorithm, "--steps", str(steps))
    losses = {"ppo": {"train/loss"}, "sac": {"train/actor_loss", "train/critic_loss"}}
    assert losses[algorithm] <= set(numbers)
    assert numbers["trained"] > numbers["random"] + LEARNED
    played.assert_inside_the_box()
    assert set(played.lengths) == {1}


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(("script", "steps"), [("sb3_single.py", 256), ("sb3_vector.py", 256)])
def test_it_trains_on_episodes_of_several_rounds(
    script: str, steps: int, run_example: Run, played: Played
) -> None:
    run_example(script, "--steps", str(steps), "--rounds", "3")
    played.assert_inside_the_box()
    assert {2, 3} <= set(played.lengths) <= {1, 2, 3}


def make_vector(examples: Path, **settings: Any) -> Any:
    """Make two environments in stable-baselines3's interface."""
    adapter = runpy.run_path(str(examples / "gymnasium_to_sb3.py"))["GymnasiumVecEnv"]
    return adapter(gymnasium.make_vec("econ_env:econ/Simulated-v0", num_envs=2, **settings))


def test_the_vector_holds_the_last_observation_of_an_episode(examples: Path) -> None:
    envs = make_vector(examples, autoreset_mode="SameStep")
    envs.seed(5)
    first = envs.reset()
    observations, rewards, ended, infos = envs.step(np.zeros((2, 6), np.float32))
    assert rewards.dtype == np.float32
    assert ended.all()
    reference = gymnasium.make("econ_env:econ/Simulated-v0")
    for place in range(2):
        seen, _ = reference.reset(seed=5 + place)
        np.testing.assert_array_equal(first[place], seen)
        last, *_ = reference.step(np.zeros(6, np.float32))
        np.testing.assert_array_equal(infos[place]["terminal_observation"], last)
        assert infos[place]["TimeLimit.truncated"] is False
        np.testing.assert_array_equal(observations[place], reference.reset()[0])


def test_the_vector_must_reset_in_the_same_step(examples: Path) -> None:
    with pytest.raises(ValueError, match='autoreset_mode="SameStep"'):
        make_vector(examples, autoreset_mode="NextStep")


@pytest.mark.slow
def test_an_id_alone_is_enough() -> None:
    envs = make_vec_env("econ_env:econ/Simulated-v0", 2)
    model = PPO("MlpPolicy", envs, n_steps=8, batch_size=16, n_epochs=1, seed=0)
    model.learn(16)
    frame = envs.render()
    assert frame is not None
    assert frame.shape[2] == 3
    alone = PPO("MlpPolicy", "econ_env:econ/Simulated-v0", n_steps=16, batch_size=16, n_epochs=1)
    alone.learn(16)


@pytest.mark.slow
def test_discrete_actions_are_a_view_that_ppo_takes() -> None:
    settings = {"view": "multi_discrete", "bins": 4}
    envs = make_vec_env("econ_env:econ/Simulated-v0", 2, env_kwargs=settings)
    model = PPO("MlpPolicy", envs, n_steps=8, batch_size=16, n_epochs=1, seed=0)
    model.learn(16)
    observations = envs.reset()
    assert isinstance(observations, np.ndarray)
    actions, _ = model.predict(observations)
    assert actions.shape == (2, 3)
    assert actions.max() < 16
