"""Copies of environments in the middle of an episode: they refuse to step, and say why."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

import econ_env
from econ_env import BatchedEconEnv, EnvConfig, JointEnv, JointVectorEnv, TextInfos

SETTINGS: dict[str, Any] = {"dataset": "simulated", "llm": "simulated", "bne_rounds": 5}
WAYS: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),  # noqa: S301 - our own bytes
}


def parallel(**settings: Any) -> Any:
    return econ_env.parallel_env(**SETTINGS, **settings)


def batched(**settings: Any) -> Any:
    return econ_env.batched_parallel_env(num_questions=2, **SETTINGS, **settings)


MAKERS: dict[str, Callable[..., Any]] = {
    "parallel": parallel,
    "batched": batched,
    "texts": lambda **settings: TextInfos(parallel(**settings)),
    "aec": lambda **settings: econ_env.env(**SETTINGS, **settings),
    "joint": lambda **settings: JointEnv(**SETTINGS, **settings),
    "vector": lambda **settings: JointVectorEnv(num_envs=2, **SETTINGS, **settings),
}


def step(env: Any) -> Any:
    """One round, with the same actions each time the seed is the same."""
    rng = np.random.default_rng(0)
    if hasattr(env, "agent_selection"):
        for _ in range(3):
            env.step(rng.uniform(-1, 1, 2).astype(np.float32))
        return env.rewards
    if isinstance(env, (JointEnv, JointVectorEnv)):
        return env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))
    shape = (2, 2) if isinstance(env, BatchedEconEnv) else (2,)
    return env.step({agent: rng.uniform(-1, 1, shape) for agent in env.possible_agents})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("view", MAKERS)
def test_a_copy_in_the_middle_of_an_episode_asks_for_a_reset(view: str, way: str) -> None:
    env = MAKERS[view]()
    env.reset(seed=3)
    step(env)
    again = WAYS[way](env)
    with pytest.raises(ResetNeeded, match=r"in this copy, .* not its episodes: call reset"):
        step(again)
    again.reset(seed=3)
    step(again)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("view", ["parallel", "batched", "joint", "vector"])
def test_copying_leaves_the_original_where_it_is(view: str, way: str) -> None:
    env, other = MAKERS[view](), MAKERS[view]()
    for each in (env, other):
        each.reset(seed=3)
    WAYS[way](env)
    ours, theirs = step(env), step(other)
    np.testing.assert_equal(ours, theirs)


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_can_be_copied_with_its_cache(way: str, tmp_path: Any) -> None:
    env = batched(cache="read_write", cache_path=tmp_path / "cache.sqlite")
    env.reset(seed=3)
    again = WAYS[way](env)
    assert again.config == env.config
    assert again.num_questions == 2
    observations = again.reset(seed=3)[0]
    np.testing.assert_equal(observations, env.reset(seed=3)[0])
    assert again.usage.requests == 0, "everything came from the cache"
    env.close()
    again.close()


def test_a_shallow_copy_shares_no_episode() -> None:
    env = batched()
    env.reset(seed=3)
    again = copy.copy(env)
    with pytest.raises(ResetNeeded, match="in this copy"):
        step(again)
    assert env.active.all()


def test_an_environment_that_was_given_models_says_why_it_cannot_be_copied() -> None:
    config = EnvConfig(**SETTINGS)
    env = BatchedEconEnv(config, num_questions=2, models=config.models())
    for way in WAYS.values():
        with pytest.raises(TypeError, match="was given models"):
            way(env)


def test_an_environment_that_is_no_copy_is_not_called_one() -> None:
    env = parallel()
    with pytest.raises(ResetNeeded) as caught:
        step(env)
    assert "copy" not in str(caught.value)
