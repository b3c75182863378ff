"""Playing policies and deviations: what counts, and that nothing else does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from econ_agents.algorithm.episode import Episode, FloatArray
from econ_agents.algorithm.rollout import Override
from econ_agents.environments import Asked, Moment, TeamSpace
from econ_agents.equilibrium.deviations import Deviation, Move
from econ_agents.equilibrium.payoffs import (
    Payoffs,
    payoffs_of,
    play_profiles,
    play_recorded,
    play_teams,
)

UP = Deviation(agent=1, move=Move(kind="shift", values=(0.5,)))


class Countdown:
    """Teams of two: seed s takes 1 + s % 3 steps, each paying every agent s + its own action.

    What an agent sees is the number of the step. Seeds in ``failing`` end with the info ``failed``,
    those in ``cut`` are truncated.
    """

    status = ""
    space = TeamSpace(
        agents=("a", "b"), observation_size=1, action_size=1, state_size=2, layout=None
    )

    def __init__(
        self,
        num_places: int,
        *,
        failing: Sequence[int] = (),
        cut: Sequence[int] = (),
        reports: bool = True,
        team_reward: float | None = None,
    ) -> None:
        self.num_places = num_places
        self.options: list[Mapping[str, Any] | None] = []
        self._failing, self._cut = list(failing), list(cut)
        self._reports = reports
        self._team_reward = team_reward
        self._seeds = np.zeros(num_places, dtype=np.int64)
        self._steps = np.zeros(num_places, dtype=np.int64)
        self._active = np.zeros(num_places, dtype=np.bool_)

    def num_questions(self, wanted: int) -> None:
        return None

    def reset(
        self,
        seeds: Mapping[int, int],
        options: Mapping[str, Any] | None = None,
        questions: Mapping[int, Asked] | None = None,
    ) -> Moment:
        self.options.append(options)
        for place, seed in seeds.items():
            self._seeds[place], self._steps[place], self._active[place] = seed, 0, True
        return self._moment(np.zeros((self.num_places, 2)), np.zeros(self.num_places, np.bool_))

    def step(self, actions: NDArray[np.floating[Any]]) -> Moment:
        assert np.all(np.abs(actions[self._active]) <= 1)
        running = self._active.copy()
        self._steps += running
        self._active &= self._steps <= self._seeds % 3
        rewards = np.where(running[:, None], self._seeds[:, None] + actions[..., 0], 0.0)
        return self._moment(rewards, running & ~self._active)

    def trace(self, place: int) -> None:
        """There is none."""

    def text(self, place: int, *, colour: bool = False) -> None:
        """There is none."""

    def close(self) -> None:
        pass

    def _moment(self, rewards: NDArray[np.float64], ended: NDArray[np.bool_]) -> Moment:
        failed = ended & np.isin(self._seeds, self._failing)
        cut = ended & np.isin(self._seeds, self._cut)
        infos = {"failed": np.tile(failed[:, None], (1, 2)).astype(np.float64)}
        if self._team_reward is not None:
            infos["team_reward"] = np.full((self.num_places, 2), self._team_reward)
        if not self._reports:
            del infos["failed"]
        return Moment(
            observations=np.tile(self._steps[:, None, None], (1, 2, 1)).astype(np.float32),
            state=np.zeros((self.num_places, 2), np.float32),
            rewards=rewards,
            terminated=ended & ~cut,
            truncated=cut,
            active=self._active.copy(),
            infos=infos,
        )


def _still(moment: Moment, step: int) -> FloatArray:
    return np.zeros((*moment.observations.shape[:2], 1), np.float32)


@pytest.mark.parametrize("places", [1, 2, 3, 7])
def test_every_seed_is_played_to_its_end_whatever_the_number_of_places(places: int) -> None:
    seeds = [5, 3, 4, 1, 0]
    played = play_teams(Countdown(places), _still)(None, seeds)
    assert played.rewards.tolist() == [[s * (1 + s % 3)] * 2 for s in seeds]
    assert played.team.tolist() == [s * (1 + s % 3) for s in seeds]
    assert not played.failed.any()


def test_a_deviation_counts_in_every_step_for_its_agent_alone() -> None:
    play = play_teams(Countdown(4), _still)
    gain = play(UP, [0, 1, 2]).rewards - play(None, [0, 1, 2]).rewards
    assert gain.tolist() == [[0.0, 0.5], [0.0, 1.0], [0.0, 1.5]]


def test_later_rewards_are_discounted() -> None:
    played = play_teams(Countdown(2), _still, discount=0.5)(None, [0, 1, 2])
    assert played.rewards[:, 0].tolist() == [0.0, 1.5, 2 * 1.75]
    assert played.team.tolist() == [0.0, 1.5, 2 * 1.75]


def test_the_policy_acts_on_what_it_sees_and_is_told_where_episodes_begin() -> None:
    firsts: list[bool] = []

    def act(moment: Moment, step: int) -> FloatArray:
        firsts.append(step == 0)
        return moment.observations * np.float32(0.25)

    played = play_teams(Countdown(2), act)(None, [2, 1, 0])
    assert played.rewards[:, 0].tolist() == [6 + 0.75, 2 + 0.25, 0.0]
    assert firsts == [True, False, False, True]


def test_the_team_reward_is_what_the_environment_says_where_it_does() -> None:
    said = play_teams(Countdown(2, team_reward=7.0), _still)(UP, [1])
    mean = play_teams(Countdown(2), _still)(UP, [1])
    assert (said.team.tolist(), mean.team.tolist()) == ([14.0], [2.5])


def test_an_episode_fails_where_the_environment_reports_it_and_else_hits_a_time_limit() -> None:
    failed = play_teams(Countdown(3, failing=[4], cut=[5]), _still)(None, [3, 4, 5])
    limited = play_teams(Countdown(3, cut=[5], reports=False), _still)(None, [3, 4, 5])
    assert failed.failed.tolist() == [False, True, True]
    assert limited.failed.tolist() == [False] * 3
    assert limited.rewards[2].tolist() == [15.0, 15.0]


def test_options_reach_every_reset() -> None:
    teams = Countdown(2)
    play_teams(teams, _still, options={"reward_weights": 1})(None, [0, 0, 0])
    assert teams.options == [{"reward_weights": 1}] * 2


def test_an_environment_in_use_is_refused() -> None:
    teams = Countdown(2)
    teams.reset({1: 2})
    with pytest.raises(ValueError, match="other episodes are still running"):
        play_teams(teams, _still)(None, [0])


def test_a_fixed_profile_is_played_as_it_is() -> None:
    play = play_profiles(Countdown(2), discount=0.5)
    played = play(np.array([[0.5], [-0.25]], np.float32), [0, 0, 2])
    assert played.rewards.tolist() == [[0.5, -0.25]] * 2 + [[2.5 * 1.75, 1.75 * 1.75]]


def test_recorded_episodes_pay_the_same_as_played_ones() -> None:
    def record(change: Override | None, seeds: Sequence[int]) -> list[Episode]:
        return [_record(seed, change) for seed in seeds]

    for discount in (1.0, 0.5):
        for deviation in (None, UP):
            seeds = [0, 5, 1]
            recorded = play_recorded(record, discount=discount)(deviation, seeds)
            played = play_teams(Countdown(3, failing=[5]), _still, discount=discount)
            expected = played(deviation, seeds)
            np.testing.assert_array_equal(recorded.rewards, expected.rewards)
            np.testing.assert_array_equal(recorded.team, expected.team)
            assert recorded.failed.tolist() == expected.failed.tolist() == [False, True, False]


def _record(seed: int, change: Override | None) -> Episode:
    """The episode that ``Countdown`` would have played; seed 5 fails."""
    steps = 1 + seed % 3
    actions = np.zeros((steps, 2, 1), np.float32)
    if change is not None:
        actions = np.stack([change(actions[step], seed, step) for step in range(steps)])
    rewards = (seed + actions[..., 0]).astype(np.float32)
    return Episode(
        number=seed,
        stream=0,
        seed=seed,
        observations=np.zeros((steps + 1, 2, 1), np.float32),
        states=np.zeros((steps + 1, 2), np.float32),
        actions=actions,
        rewards=rewards,
        team_rewards=rewards.mean(axis=1),
        infos={},
        terminated=seed != 5,
        failed=seed == 5,
        memory=np.zeros((0, 2, 1), np.float32),
    )


def test_payoffs_of_another_shape_or_without_a_finite_reward_are_refused() -> None:
    fine = np.zeros((2, 2)), np.zeros(2), np.zeros(2, np.bool_)
    Payoffs(rewards=np.full((2, 2), np.nan), team=fine[1], failed=~fine[2])
    with pytest.raises(ValueError, match=r"got \(2, 2\), \(3,\), \(2,\)"):
        Payoffs(rewards=fine[0], team=np.zeros(3), failed=fine[2])
    with pytest.raises(ValueError, match="NaN or infinite reward"):
        Payoffs(rewards=np.full((2, 2), np.inf), team=fine[1], failed=fine[2])
    assert payoffs_of([_record(1, None)]).team.tolist() == [2.0]
