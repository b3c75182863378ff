"""Sizes of a team, read from spaces; the map from the learner's actions; what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from hypothesis import example, given
from hypothesis import strategies as st

from econ_agents.environments import EnvironmentMisfit
from econ_agents.environments.space import ActionBoxes, read_space
from tests.econ_agents.environments.toy_env import PAIR, Counter, CounterWithState, unit


def test_observations_of_any_shape_are_counted_flat_and_make_the_state_of_an_env_without_one():
    space = read_space(Counter(sees=dict.fromkeys(PAIR, unit(2, 3, 4))))
    assert space.agents == PAIR
    assert (space.observation_size, space.action_size, space.state_size) == (24, 2, 48)
    assert space.layout is None


def test_the_state_of_an_environment_counts_flat_where_it_has_one():
    assert read_space(CounterWithState()).state_size == 4


def test_a_state_space_of_none_stands_for_no_state():
    env = CounterWithState()
    env.state_space = None  # type: ignore[assignment]
    assert read_space(env).state_size == 6


def test_the_layout_names_the_parts_of_an_observation():
    layout = {"commitment": [0, 2], "round": [2, 3]}
    space = read_space(Counter(metadata={"observation_layout": layout}))
    assert space.layout == {"commitment": slice(0, 2), "round": slice(2, 3)}


@pytest.mark.parametrize("bounds", [[0, 4], [-1, 2], [2, 2], [3, 1]])
def test_a_layout_that_points_outside_of_the_observation_is_an_error(bounds: list[int]):
    with pytest.raises(EnvironmentMisfit, match=r"'part'.*has 3 numbers"):
        read_space(Counter(metadata={"observation_layout": {"part": bounds}}))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"agents": ()}, "possible_agents"),
        ({"sees": {"left": unit(3), "right": unit(4)}}, r"pad_observations.*"),
        ({"sees": dict.fromkeys(PAIR, Dict(a=unit(1)))}, "observation space of 'left'.*Box"),
        ({"sees": {"left": unit(3), "right": Discrete(3)}}, "observation space of 'right'.*Box"),
        ({"does": {"left": unit(2), "right": unit(1, 2)}}, r"left: \(2,\), right: \(1, 2\).*pad"),
        ({"does": dict.fromkeys(PAIR, Discrete(5))}, "continuous_actions=True"),
        ({"does": dict.fromkeys(PAIR, unit(2, dtype=np.int8))}, "whole numbers"),
        ({"does": dict.fromkeys(PAIR, Box(-np.inf, 1, (2,)))}, "without finite bounds"),
    ],
)
def test_what_does_not_fit_is_named_with_the_way_out(settings: dict[str, Any], says: str):
    with pytest.raises(EnvironmentMisfit, match=says):
        read_space(Counter(**settings))


def test_a_state_that_is_no_box_is_an_error():
    env = CounterWithState()
    env.state_space = Discrete(3)
    with pytest.raises(EnvironmentMisfit, match=r"state space.*Box"):
        read_space(env)


numbers = st.floats(-1e6, 1e6, width=32)


@given(
    bounds=st.lists(st.tuples(numbers, numbers).map(sorted), min_size=2, max_size=2),
    action=st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=2),
)
# Where rounding leaves the box: halves of 1 lie nearer to 0 than its lower end does.
@example(bounds=[[1e-20, 1.0], [-1.0, -1e-20]], action=[-1.0, 1.0])
def test_every_action_lies_in_the_box_and_moves_with_the_learners(
    bounds: list[list[float]], action: list[float]
):
    low, high = np.array(bounds, np.float32).T
    box = Box(low, high, dtype=np.float32)
    boxes = ActionBoxes([box])
    [[point]] = boxes.place(np.array([[action]], np.float32))
    assert box.contains(point)
    share = (np.array(action, np.float64) + 1) / 2
    width = high.astype(np.float64) - low
    tolerance = 1e-6 * (1 + np.abs(low) + np.abs(high))
    assert np.all(np.abs(point - (low + share * width)) <= tolerance)
    ends = boxes.place(np.array([[[-1, -1]], [[1, 1]]], np.float32))
    np.testing.assert_array_less(np.abs(ends[:, 0] - [low, high]), np.stack([tolerance] * 2))


@given(action=st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=2))
def test_a_box_that_is_the_learners_own_keeps_every_action(action: list[float]):
    learners = np.array([[action]], np.float32)
    points = ActionBoxes([unit(2)]).place(learners)  # type: ignore[list-item]
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, learners)


def test_every_agent_has_its_own_box_and_actions_take_its_shape():
    boxes = ActionBoxes([Box(0, 10, (1, 2)), Box(-4, 0, (1, 2))])
    points = boxes.place(np.array([[[0.0, 1.0], [0.5, -1.0]]]))
    np.testing.assert_array_equal(points, [[[[5, 10]], [[-1, -4]]]])
