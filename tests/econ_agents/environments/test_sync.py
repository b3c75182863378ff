"""Copies of any parallel environment as one batch: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from econ_agents.environments import EnvironmentMisfit, SyncBatch, make_teams
from tests.econ_agents.environments.toy_env import PAIR, Counter, CounterWithState, unit

STILL = np.zeros((2, 2, 2), np.float32)
"""Actions for two places, two agents, two numbers."""


def pair_of(make: Callable[..., Counter] = Counter, **settings: Any) -> SyncBatch:
    return SyncBatch([make(**settings) for _ in range(2)])


def test_places_play_on_their_own_and_rest_after_their_end():
    teams = SyncBatch([Counter(length=1), Counter(length=3)])
    moment = teams.reset({0: 10, 1: 20})
    assert moment.active.tolist() == [True, True]
    assert moment.observations[:, 0].tolist() == [[10, 0, 0], [20, 0, 0]]
    assert not moment.rewards.any()
    moment = teams.step(STILL)
    assert moment.active.tolist() == [False, True]
    assert moment.terminated.tolist() == [True, False]
    assert moment.rewards.tolist() == [[1, 1], [1, 1]]
    moment = teams.step(STILL)
    assert moment.terminated.tolist() == [False, False]
    assert moment.rewards.tolist() == [[0, 0], [1, 1]]
    # The last that the idle place saw stays in sight.
    assert moment.observations[:, 1].tolist() == [[10, 1, 1], [20, 2, 1]]


def test_only_the_places_with_a_seed_start():
    teams = pair_of()
    assert teams.reset({1: 5}).active.tolist() == [False, True]
    teams.step(STILL)
    moment = teams.reset({0: 6})
    assert moment.active.tolist() == [True, True]
    assert moment.observations[:, 0].tolist() == [[6, 0, 0], [5, 1, 0]]


def test_options_reach_the_environment_unchanged():
    envs = [Counter(), Counter()]
    weights = {"reward_weights": {"ts": 1.0}}
    SyncBatch(envs).reset({1: 0}, options=weights)
    assert envs[0].options == []
    assert envs[1].options == [weights]


def test_observations_one_after_the_other_are_the_state_where_there_is_no_other():
    moment = pair_of().reset({0: 3, 1: 4})
    assert moment.state.tolist() == [[3, 0, 0, 3, 0, 1], [4, 0, 0, 4, 0, 1]]


def test_the_state_of_the_environment_is_read_also_after_the_last_step():
    teams = pair_of(CounterWithState, length=1)
    assert teams.reset({0: 3}).state.tolist() == [[3, 0, 1, 7], [0, 0, 0, 0]]
    moment = teams.step(STILL)
    assert moment.state.tolist() == [[3, 1, 1, 7], [0, 0, 0, 0]]
    assert moment.state.dtype == moment.observations.dtype == np.float32


def test_observations_of_any_shape_are_flattened():
    moment = pair_of(sees=dict.fromkeys(PAIR, unit(3, 2))).reset({0: 9, 1: 9})
    assert moment.observations[0].tolist() == [[9, 0, 0, 9, 0, 0], [9, 0, 1, 9, 0, 1]]


@pytest.mark.parametrize(
    ("truncates", "terminated", "truncated"),
    [((), True, False), (PAIR, False, True), (("left",), False, True)],
)
def test_an_episode_terminates_if_all_agents_do_and_is_else_truncated(
    truncates: tuple[str, ...], terminated: bool, truncated: bool
):
    teams = pair_of(length=1, truncates=truncates)
    teams.reset({0: 0})
    moment = teams.step(STILL)
    assert moment.terminated.tolist() == [terminated, False]
    assert moment.truncated.tolist() == [truncated, False]
    assert not moment.active.any()


def test_numbers_in_infos_are_kept_where_all_agents_of_a_place_have_them():
    def infos(step: int, agent: str) -> dict[str, Any]:
        own = {"failed": False, "score": np.float32(step), "text": "no number", "at": [1, 2]}
        return {**own, "only_left": 1} if agent == "left" else own

    teams = pair_of(infos=infos)
    assert sorted(teams.reset({1: 0}).infos) == ["failed", "score"]
    moment = teams.step(STILL)
    assert moment.infos["score"].tolist() == [[0, 0], [1, 1]]
    assert moment.infos["failed"].dtype == np.float64


def test_a_number_that_only_one_place_reports_is_zero_in_the_others():
    envs = [Counter(length=1, infos=lambda step, agent: {"won": 1} if step else {}), Counter()]
    teams = SyncBatch(envs)
    assert teams.reset({0: 0, 1: 0}).infos == {}
    assert teams.step(STILL).infos["won"].tolist() == [[1, 1], [0, 0]]


def test_an_environment_without_infos_has_none():
    teams = pair_of(infos=lambda step, agent: {})
    teams.reset({0: 0})
    assert teams.step(STILL).infos == {}


@pytest.mark.parametrize("rest", [np.nan, np.inf, 1e300])
def test_rows_of_idle_places_are_not_read(rest: float):
    envs = [Counter(), Counter()]
    teams = SyncBatch(envs)
    teams.reset({1: 0})
    actions = STILL.astype(np.float64)
    actions[0] = rest
    teams.step(actions)
    assert envs[0].actions == []
    assert len(envs[1].actions) == 1


def test_what_was_returned_once_does_not_change():
    teams = pair_of()
    first = teams.reset({0: 1, 1: 2})
    kept = first.observations.copy(), first.state.copy(), first.active.copy()
    teams.step(STILL)
    for array, copy in zip((first.observations, first.state, first.active), kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_agents_act_in_the_order_of_their_names_and_in_the_units_of_their_boxes():
    does = {"left": unit(1, 2), "right": unit(1, 2)}
    env = Counter(does=does)
    teams = SyncBatch([env])
    teams.reset({0: 0})
    teams.step(np.array([[[0.25, -0.5], [1, -1]]], np.float32))
    [actions] = env.actions
    assert list(actions) == ["left", "right"]
    np.testing.assert_array_equal(actions["left"], [[0.25, -0.5]])
    assert all(does[agent].contains(action) for agent, action in actions.items())


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1.001, -2.0])
def test_an_action_outside_of_the_learners_box_is_an_error(wrong: float):
    teams = pair_of()
    teams.reset({0: 0, 1: 0})
    actions = STILL.copy()
    actions[1, 0, 1] = wrong
    with pytest.raises(ValueError, match=r"left in place 1 .*\[-1, 1\]"):
        teams.step(actions)


def test_actions_of_a_wrong_shape_are_an_error():
    teams = pair_of()
    teams.reset({0: 0})
    with pytest.raises(ValueError, match=r"\(2, 1, 2\), not \(2, 2, 2\)"):
        teams.step(STILL[:, :1])


def test_a_step_needs_a_running_episode():
    teams = pair_of(length=1)
    with pytest.raises(ResetNeeded, match=r"reset\(\) before step"):
        teams.step(STILL)
    teams.reset({0: 0})
    teams.step(STILL)
    with pytest.raises(ResetNeeded, match=r"reset\(\) before step"):
        teams.step(STILL)


@pytest.mark.parametrize("place", [2, -1])
def test_a_place_that_does_not_exist_cannot_be_reset(place: int):
    with pytest.raises(ValueError, match="places are 0 to 1"):
        pair_of().reset({place: 0})


def test_an_agent_that_leaves_early_is_an_error_that_names_a_wrapper():
    teams = pair_of(deaths={"right": 2})
    teams.reset({0: 0})
    teams.step(STILL)
    with pytest.raises(EnvironmentMisfit, match=r"'right' left .*black_death"):
        teams.step(STILL)


def test_an_agent_that_is_not_there_from_the_beginning_is_an_error():
    class Late(Counter):
        def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            observations, infos = super().reset(seed, options)
            del observations["right"]
            return observations, infos

    with pytest.raises(EnvironmentMisfit, match="no observation for 'right'"):
        pair_of(Late).reset({0: 0})


def test_an_episode_without_a_last_observation_is_an_error():
    teams = pair_of(length=1, hides_the_end=True)
    teams.reset({0: 0})
    with pytest.raises(EnvironmentMisfit, match="last step included"):
        teams.step(STILL)


def test_what_is_not_finite_is_an_error_that_names_the_place():
    teams = SyncBatch([Counter(), Counter(reward=float("nan"))])
    teams.reset({0: 0, 1: 0})
    with pytest.raises(EnvironmentMisfit, match="rewards of place 1"):
        teams.step(STILL)


def test_an_observation_of_another_size_than_its_space_is_an_error():
    env = Counter()
    teams = SyncBatch([env])
    env.observation_spaces["right"] = unit(5)
    with pytest.raises(EnvironmentMisfit, match=r"'right' has 5 numbers.*3"):
        teams.reset({0: 0})


def test_copies_that_differ_are_an_error():
    with pytest.raises(EnvironmentMisfit, match="other agents or spaces"):
        SyncBatch([Counter(), Counter(agents=("a", "b", "c"))])


def test_closing_closes_every_copy():
    envs = [Counter(), Counter()]
    SyncBatch(envs).close()
    assert all(env.closed for env in envs)


def test_an_environment_of_others_plays_to_its_time_limit():
    settings = {"N": 2, "max_cycles": 4, "continuous_actions": True}
    teams = make_teams("mpe2.simple_spread_v3:parallel_env", settings, 2)
    assert (teams.space.action_size, teams.space.layout) == (5, None)
    rng = np.random.default_rng(0)
    moment = teams.reset({0: 7, 1: 7})
    np.testing.assert_array_equal(moment.observations[0], moment.observations[1])
    ends = []
    while moment.active.any():
        actions = np.stack([rng.uniform(-1, 1, (2, 5))] * 2)
        moment = teams.step(actions)
        ends.append(moment.truncated.tolist())
    assert ends == [[False, False]] * 3 + [[True, True]]
    assert not moment.terminated.any()
    assert moment.infos == {}
    np.testing.assert_array_equal(moment.rewards[0], moment.rewards[1])
    np.testing.assert_array_equal(moment.observations[0].reshape(-1), moment.state[0])
    teams.close()


def test_the_least_action_is_no_push_where_a_box_begins_at_zero():
    settings = {"continuous_actions": True}
    teams = make_teams("mpe2.simple_spread_v3:parallel_env", settings, 1)
    before = teams.reset({0: 1}).observations[0]
    moment = teams.step(np.full((1, 3, 5), -1.0))
    # An observation begins with the agent's velocity and position.
    np.testing.assert_array_equal(moment.observations[0, :, :4], before[:, :4])
    push_right = np.full((1, 3, 5), -1.0)
    push_right[..., 2] = 1.0
    moment = teams.step(push_right)
    assert (moment.observations[0, :, 0] > 0).all()
    assert (moment.observations[0, :, 1] == 0).all()
