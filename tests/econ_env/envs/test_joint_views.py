"""The five views are the same game: only the form of actions and observations differs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given
from hypothesis import strategies as st

from econ_env import EconParallelEnv, JointEnv
from econ_env.envs.discretisation import Levels
from econ_env.envs.joint_views import (
    VIEW_NAMES,
    DiscreteActions,
    MultiDiscreteActions,
    ViewName,
    make_view,
)
from econ_env.envs.spaces import layout_size

SETTINGS: dict[str, Any] = {"dataset": "simulated", "llm": "simulated", "bne_rounds": 2}


def make(view: ViewName, **settings: Any) -> JointEnv:
    return JointEnv(view=view, **{**SETTINGS, **settings})


def play(view: ViewName, actions: list[Any], **settings: Any) -> list[Any]:
    """Reward, end and infos of every step of one episode."""
    env = make(view, **settings)
    env.reset(seed=4)
    return [env.step(action)[1:] for action in actions]


def test_one_game_is_played_whatever_the_view() -> None:
    points = np.array([[[-1.0, 0.5], [0.0, -0.5], [1.0, 1.0]], [[0.5, 0.0], [0.0, 0.0], [-1, -1]]])
    # With five levels per coordinate, level j stands for -1 + j / 2.
    numbers = np.array([[3, 2 * 5 + 1, 4 * 5 + 4], [3 * 5 + 2, 2 * 5 + 2, 0]])
    flat = play("flat", list(points.reshape(2, 6)))
    assert data_equivalence(flat, play("matrix", list(points)))
    assert data_equivalence(flat, play("tuple", [tuple(rows) for rows in points]))
    assert data_equivalence(flat, play("discrete", [row.tolist() for row in numbers]))
    assert data_equivalence(flat, play("multi_discrete", list(numbers)))


def test_views_show_the_state_or_what_each_agent_observes() -> None:
    inner = EconParallelEnv(**SETTINGS)
    inner_seed = int(np.random.Generator(np.random.PCG64(4)).integers(2**31))
    observations, _ = inner.reset(seed=inner_seed)
    shown_by = {view: make(view).reset(seed=4)[0] for view in VIEW_NAMES}
    np.testing.assert_array_equal(shown_by.pop("flat"), inner.state())
    np.testing.assert_array_equal(shown_by.pop("multi_discrete"), inner.state())
    for index, agent in enumerate(inner.possible_agents):
        for shown in shown_by.values():
            np.testing.assert_array_equal(shown[index], observations[agent])


def test_spaces_name_every_executor() -> None:
    env = make("tuple", n_agents=4)
    size = layout_size(env.observation_layout)
    each = spaces.Box(-1.0, 1.0, (size,), np.float32)
    assert env.observation_space == spaces.Tuple([each] * 4)
    assert env.action_space == spaces.Tuple([spaces.Box(-1.0, 1.0, (2,), np.float32)] * 4)
    matrix = make("matrix", n_agents=4)
    assert matrix.observation_space == spaces.Box(-1.0, 1.0, (4, size), np.float32)
    assert matrix.action_space == spaces.Box(-1.0, 1.0, (4, 2), np.float32)
    discrete = make("discrete", n_agents=4, bins=3)
    assert discrete.observation_space == spaces.Tuple([each] * 4)
    assert discrete.action_space == spaces.Tuple([spaces.Discrete(9)] * 4)
    multi = make("multi_discrete", n_agents=4, bins=3)
    assert multi.action_space == spaces.MultiDiscrete([9] * 4)


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_observations_and_sampled_actions_fit_their_spaces(view: ViewName) -> None:
    env = make(view, max_rounds=2)
    observation, _ = env.reset(seed=0)
    terminated = False
    while not terminated:
        assert observation in env.observation_space
        observation, _, terminated, _, _ = env.step(env.action_space.sample())
    assert observation in env.observation_space


@given(bins=st.integers(2, 12), lead=st.sampled_from([(), (3,)]), seed=st.integers(0, 99))
def test_discrete_numbers_go_through_all_levels_in_order(
    bins: int, lead: tuple[int, ...], seed: int
) -> None:
    levels_of = Levels(bins=bins)
    numbers = np.random.default_rng(seed).integers(bins**2, size=(2, *lead))
    points = DiscreteActions(n_agents=2, levels=levels_of).points(tuple(numbers), lead)
    vector = MultiDiscreteActions(n_agents=2, levels=levels_of)
    np.testing.assert_array_equal(vector.points(np.moveaxis(numbers, 0, -1), lead), points)
    assert points.shape == (2, *lead, 2)
    # Back from the levels to the number that stands for them.
    levels = np.rint((points + 1) / 2 * (bins - 1)).astype(int)
    np.testing.assert_array_equal(levels[..., 0] * bins + levels[..., 1], numbers)


def test_discrete_levels_reach_from_end_to_end() -> None:
    env = make("discrete", n_agents=2, bins=3, temperature_min=0.5, temperature_max=1.5)
    env.reset(seed=0)
    env.step([0, 8])
    low, high = env.transcript.decisions[0].rounds[0].executors
    assert (low.temperature, low.repetition_penalty) == (0.5, 0.8)
    assert (high.temperature, high.repetition_penalty) == (1.5, 1.5)


@pytest.mark.parametrize(
    ("view", "action", "message"),
    [
        ("matrix", np.zeros(6), r"shape \(3, 2\)"),
        ("matrix", np.zeros((2, 3)), r"shape \(3, 2\)"),
        ("flat", ["a"] * 6, "must be numbers"),
        ("tuple", (np.zeros(2), np.zeros(2)), "3 parts, one for each executor"),
        ("tuple", 0.5, "3 parts, one for each executor"),
        ("tuple", (np.zeros(2), np.zeros(2), np.zeros(3)), r"executor_2 must have shape \(2,\)"),
        ("discrete", [0, 25, 0], "executor_1 must be whole numbers from 0 to 24"),
        ("discrete", [0, 0, -1], "executor_2 must be whole numbers from 0 to 24"),
        ("discrete", [0.0, 0, 0], "executor_0 must be whole numbers from 0 to 24"),
        ("discrete", [[0], 0, 0], "executor_0 must be whole numbers from 0 to 24"),
        ("discrete", [True, 0, 0], "executor_0 must be whole numbers from 0 to 24"),
        ("multi_discrete", [0, 25, 0], "joint action must be whole numbers from 0 to 24"),
        ("multi_discrete", [0, 1], r"from 0 to 24 of shape \(3,\)"),
    ],
)
def test_what_is_no_action_of_the_view_is_a_value_error(
    view: ViewName, action: Any, message: str
) -> None:
    env = make(view)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(action)


def test_nan_is_a_value_error_in_every_continuous_view() -> None:
    for view in ("matrix", "tuple"):
        env = make(view)
        env.reset(seed=0)
        with pytest.raises(ValueError, match="executor_1"):
            env.step(np.array([[0, 0], [np.nan, 0], [0, 0]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"view": "Flat"}, "view must be one of 'flat', 'matrix', 'tuple', 'discrete'"),
        ({"view": "flat", "bins": 5}, 'for view="discrete" and "multi_discrete" only'),
        ({"view": "discrete", "bins": 1}, "bins must be a whole number >= 2"),
        ({"view": "discrete", "bins": 2.0}, "bins must be a whole number >= 2"),
    ],
)
def test_a_view_that_does_not_exist_is_a_value_error(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_observations_of_different_calls_share_no_memory() -> None:
    for view in VIEW_NAMES:
        env = make(view)
        seen = [env.reset(seed=0)[0], env.step(env.action_space.sample())[0]]
        for before, after in pairwise(seen):
            for one, other in zip(_arrays(before), _arrays(after), strict=True):
                assert not np.shares_memory(one, other)


def _arrays(observation: Any) -> list[Any]:
    return list(observation) if isinstance(observation, tuple) else [observation]


class EpymarlLoop:
    """Needs of EPyMARL's ``gymma``: ``n_agents`` and tuples of ``Discrete``."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.n_agents: int = env.unwrapped.n_agents
        self.n_actions = max(env.action_space, key=lambda space: space.n).n
        self.obs_size = max(env.observation_space, key=lambda space: space.shape).shape[0]
        # It would believe a state_size, and a method seed, that do not fit what it does.
        assert not hasattr(env.unwrapped, "state_size")
        assert not hasattr(env.unwrapped, "seed")

    def episode(self) -> tuple[float, dict[str, Any]]:
        rng = np.random.default_rng(0)
        observations, _ = self.env.reset(seed=1)
        total, done = 0.0, False
        info: dict[str, Any] = {}
        while not done:
            assert np.concatenate(observations).shape == (self.n_agents * self.obs_size,)
            actions = [int(number) for number in rng.integers(self.n_actions, size=self.n_agents)]
            observations, reward, done, truncated, info = self.env.step(actions)
            assert not truncated
            total += reward
        return total, info


def test_the_discrete_view_is_what_epymarl_plays() -> None:
    loop = EpymarlLoop(make("discrete"))
    total, info = loop.episode()
    assert (loop.n_agents, loop.n_actions) == (3, 25)
    assert total > 0
    # Its logger adds the last infos of episodes up and divides them.
    assert all(np.isfinite(np.mean((0 + value) / 2)) for value in info.values())


def test_a_view_needs_a_name_that_exists() -> None:
    with pytest.raises(ValueError, match="view must be one of"):
        make_view("dict", n_agents=1, state_layout={}, observation_layout={})  # type: ignore[arg-type]
