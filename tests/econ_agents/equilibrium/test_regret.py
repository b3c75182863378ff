"""The best fixed profile and the regret against it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_agents.environments import make_teams
from econ_agents.equilibrium.deviations import Search, grid_candidates, shift_candidates
from econ_agents.equilibrium.payoffs import Payoffs, Profile, ProfilePlay, play_profiles
from econ_agents.equilibrium.regret import FixedProfile, best_fixed_profile, cumulative_regret
from econ_agents.seeds import numpy_generator
from econ_agents.statistics import Interval
from econ_env.llm.simulated.model import SimulatedGame

GRID = Search(candidates=grid_candidates(5, 1))
FINE = Search(candidates=grid_candidates(5, 1), refinements=8, step=0.2)
SEARCHED, FRESH = range(100), range(100, 200)


class Hill:
    """The team gets seed % 5 - sum_i (e_i - target_i)^2."""

    def __init__(self, *targets: float, failing: Sequence[int] = ()) -> None:
        self.targets = np.array(targets)
        self.failing = list(failing)
        self.played: list[tuple[float, ...]] = []

    def __call__(self, profile: Profile, seeds: Sequence[int]) -> Payoffs:
        self.played.append(tuple(profile[:, 0].tolist()))
        team = np.array(seeds) % 5 - np.square(profile[:, 0] - self.targets).sum()
        failed = np.isin(seeds, self.failing)
        team[failed] = np.nan
        return Payoffs(rewards=np.tile(team[:, None], (1, 2)), team=team, failed=failed)


def _best(play: ProfilePlay, search: Search = GRID, sweeps: int = 1) -> FixedProfile:
    return best_fixed_profile(
        play, n_agents=2, search=search, search_seeds=SEARCHED, fresh_seeds=FRESH, sweeps=sweeps
    )


def test_without_sweeps_all_agents_share_the_best_action() -> None:
    found = _best(Hill(0.5, -0.5), sweeps=0)
    assert found.actions == ((0.0,), (0.0,))
    assert found.team.mean == pytest.approx(2 - 0.5)


def test_sweeps_give_every_agent_its_own_best_action() -> None:
    found = _best(Hill(0.5, -0.5))
    assert found.actions == ((0.5,), (-0.5,))
    assert found.team.mean == found.in_sample == pytest.approx(2.0)


def test_refinement_steps_between_the_points_of_the_grid() -> None:
    found = _best(Hill(0.3, -0.65), search=FINE)
    assert np.ravel(found.actions) == pytest.approx([0.3, -0.65], abs=0.02)


def test_sweeps_end_when_nobody_moves() -> None:
    once, often = Hill(0.5, 0.5), Hill(0.5, 0.5)
    assert _best(once, sweeps=1).actions == _best(often, sweeps=9).actions
    assert len(often.played) == len(once.played)


def test_the_best_profile_is_worth_what_it_earns_on_questions_the_search_has_not_seen() -> None:
    """All profiles are worth 2: what the search finds better was luck."""
    found = [_best(_luck(number)) for number in range(10)]
    assert np.mean([one.in_sample for one in found]) > 2.1
    assert np.mean([one.team.mean for one in found]) == pytest.approx(2.0, abs=0.1)


def _luck(number: int) -> ProfilePlay:
    """2, and luck that is drawn anew for every question and every profile."""

    def play(profile: Profile, seeds: Sequence[int]) -> Payoffs:
        team = 2.0 + numpy_generator(number, repr(profile)).normal(size=1000)[list(seeds)]
        failed = np.zeros(len(team), dtype=np.bool_)
        return Payoffs(rewards=np.tile(team[:, None], (1, 2)), team=team, failed=failed)

    return play


def test_failed_episodes_are_left_out_and_counted() -> None:
    found = _best(Hill(0.5, 0.5, failing=[*range(10), 100, 105, 110]))
    assert found.failed == 3
    assert found.actions == ((0.5,), (0.5,))
    assert found.team.mean == pytest.approx(
        np.mean([s % 5 for s in FRESH if s not in (100, 105, 110)])
    )


def test_what_makes_no_fixed_profile_is_refused() -> None:
    hill = Hill(0.0, 0.0)
    with pytest.raises(ValueError, match="the search has shifts"):
        _best(hill, search=Search(candidates=shift_candidates([0.1], 1)))
    with pytest.raises(ValueError, match="sweeps must be at least 0"):
        _best(hill, sweeps=-1)
    with pytest.raises(ValueError, match="2 seeds are in search_seeds and in fresh_seeds"):
        best_fixed_profile(
            hill, n_agents=2, search=GRID, search_seeds=range(10), fresh_seeds=range(8, 20)
        )


def test_the_best_fixed_profile_of_the_simulator_is_the_one_of_the_exact_game() -> None:
    candidates = [move for move in grid_candidates(5, 2) if move.values[1] == -0.5]
    settings = {"dataset": "simulated", "llm": "simulated", "n_agents": 3}
    teams = make_teams("econ_env:batched_parallel_env", settings, 100)
    found = best_fixed_profile(
        play_profiles(teams),
        n_agents=3,
        search=Search(candidates=tuple(candidates)),
        search_seeds=range(200),
        fresh_seeds=range(1000, 1200),
        sweeps=0,
    )
    game = SimulatedGame()
    low = np.array([game.bounds.temperature_min, game.bounds.repetition_penalty_min])
    high = np.array([game.bounds.temperature_max, game.bounds.repetition_penalty_max])
    exact = [
        game.expected_rewards([low + (np.array(move.values) + 1) / 2 * (high - low)] * 3).team
        for move in candidates
    ]
    assert found.actions == (candidates[int(np.argmax(exact))].values,) * 3
    assert found.team.low <= max(exact) <= found.team.high


rewards = st.lists(st.floats(-10, 10), min_size=1, max_size=50)


@given(rewards, st.floats(-10, 10))
def test_regret_adds_up_what_each_episode_fell_short(won: list[float], best: float) -> None:
    regret = cumulative_regret(won, Interval(mean=best, low=best - 1, high=best + 1))
    steps = np.diff(regret.curve, prepend=0.0)
    np.testing.assert_allclose(steps, best - np.array(won), atol=1e-9)
    assert regret.total.mean == pytest.approx(regret.curve[-1], abs=1e-9)
    spread = (regret.total.mean - regret.total.low, regret.total.high - regret.total.mean)
    assert spread == pytest.approx((len(won), len(won)), abs=1e-9)


def test_learning_shows_in_the_parts_and_playing_the_best_profile_costs_nothing() -> None:
    best = Interval(mean=1.0, low=0.9, high=1.1)
    learned = cumulative_regret([0.0] * 5 + [0.5] * 5 + [1.0] * 5 + [1.25] * 5, best)
    assert learned.parts == pytest.approx((1.0, 0.5, 0.0, -0.25))
    assert cumulative_regret([1.0] * 3, best).curve == (0.0, 0.0, 0.0)


def test_regret_needs_episodes_with_finite_rewards() -> None:
    best = Interval(mean=1.0, low=0.9, high=1.1)
    for won in ([], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="at least one training episode"):
            cumulative_regret(won, best)


def test_profile_and_regret_are_json() -> None:
    found = _best(Hill(0.5, -0.5))
    regret = cumulative_regret([0.0, 1.0], found.team)
    assert json.loads(json.dumps(found.to_json()))["actions"] == [[0.5], [-0.5]]
    assert json.loads(json.dumps(regret.to_json()))["best_fixed"] == found.team.to_json()
