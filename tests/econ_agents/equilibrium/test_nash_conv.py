"""NashConv: right where the game is known, honest where there is only noise."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from econ_agents.algorithm.episode import FloatArray
from econ_agents.environments import Moment, Teams, make_teams
from econ_agents.equilibrium.deviations import (
    Deviation,
    Move,
    Search,
    grid_candidates,
    shift_candidates,
)
from econ_agents.equilibrium.nash_conv import NashConv, estimate_nash_conv
from econ_agents.equilibrium.payoffs import DeviationPlay, Payoffs, play_teams
from econ_agents.seeds import numpy_generator
from econ_env.llm.simulated.model import SimulatedGame, equilibria
from econ_env.llm.simulated.skill import Array

AGENTS = 2
GRID = Search(candidates=grid_candidates(5, 1))


@dataclass(frozen=True, kw_only=True)
class Quadratic:
    """Agent i gets difficulty(seed) - worth * (e_i - target_i(seed))^2 + luck."""

    targets: Callable[[Sequence[int]], Array]
    """Of every agent on every question: shape (questions, AGENTS)."""
    policy: Callable[[Sequence[int]], FloatArray] = lambda seeds: np.zeros(
        (len(seeds), AGENTS, 1), np.float32
    )
    worth: float = 1.0
    difficulty: float = 0.0
    noise: float = 0.0
    """Standard deviation of luck, drawn anew for every question and every deviation."""
    number: int = 0
    """Of the luck: another number, other luck."""
    failing: Callable[[Deviation | None, int], bool] = lambda deviation, seed: False

    def __call__(self, deviation: Deviation | None, seeds: Sequence[int]) -> Payoffs:
        actions = self.policy(seeds)
        if deviation is not None:
            actions = deviation.apply(actions)
        luck = numpy_generator(self.number, repr(deviation)).normal(size=(1000, AGENTS))
        rewards = -self.worth * np.square(actions[..., 0] - self.targets(seeds))
        rewards += self.noise * luck[seeds]
        rewards += self.difficulty * np.array([[seed % 7] for seed in seeds])
        failed = np.array([self.failing(deviation, seed) for seed in seeds])
        rewards[failed] = 1e9
        return Payoffs(rewards=rewards, team=rewards.mean(axis=1), failed=failed)


def _always(*targets: float) -> Callable[[Sequence[int]], Array]:
    return lambda seeds: np.tile(targets, (len(seeds), 1))


def _estimate(
    play: DeviationPlay, search: Search = GRID, questions: int = 200, seed: int = 0
) -> NashConv:
    return estimate_nash_conv(
        play, n_agents=AGENTS, seeds=range(questions), search=search, seed=seed
    )


def _constant(*values: float) -> Move:
    return Move(kind="constant", values=values)


def test_the_gains_of_best_deviations_are_found_and_named() -> None:
    found = _estimate(Quadratic(targets=_always(0.5, -1.0)))
    assert found.value == pytest.approx(0.25 + 1.0)
    assert [agent.gain.mean for agent in found.agents] == pytest.approx([0.25, 1.0])
    assert [agent.moves for agent in found.agents] == [(_constant(m),) * 2 for m in (0.5, -1.0)]
    assert (found.questions, found.failed) == (200, 0)


def test_what_is_hard_for_every_deviation_cancels_out() -> None:
    hard = _estimate(Quadratic(targets=_always(0.5, 0.5), difficulty=1000.0))
    assert hard.value == pytest.approx(0.5)
    assert hard.interval.high - hard.interval.low < 1e-6


def test_in_equilibrium_nobody_moves() -> None:
    found = _estimate(Quadratic(targets=_always(0.1, -0.2)), search=GRID)
    assert found.value == found.in_sample == found.clipped == 0.0
    assert all(agent.moves == (None, None) for agent in found.agents)


@pytest.mark.slow
def test_noise_looks_like_gains_where_they_are_chosen_but_not_where_they_are_measured() -> None:
    """No action is better than another, so that the true NashConv is 0."""
    games = [Quadratic(targets=_always(0, 0), worth=0, noise=1.0, number=k) for k in range(25)]
    search = Search(candidates=grid_candidates(15, 1))
    luck = [_estimate(game, search=search, questions=60) for game in games]
    measured = np.array([found.value for found in luck])
    assert np.mean([found.in_sample for found in luck]) > 0.4
    assert abs(measured.mean()) < 3 * measured.std(ddof=1) / np.sqrt(len(luck))
    # Of 25 intervals of 95%, more than five miss in one of a thousand runs.
    assert sum(not found.interval.low <= 0 <= found.interval.high for found in luck) <= 5
    assert any(found.value < 0 for found in luck)
    assert all(found.clipped > max(found.value, 0) - 1e-9 for found in luck)


def test_the_true_value_lies_between_the_measured_and_the_in_sample_value() -> None:
    games = [Quadratic(targets=_always(0.5, -0.5), noise=1.0, number=k) for k in range(25)]
    found = [_estimate(game, questions=60) for game in games]
    assert np.mean([one.value for one in found]) < 0.5 < np.mean([one.in_sample for one in found])


def test_the_search_steps_between_the_points_of_the_grid() -> None:
    game = Quadratic(targets=_always(0.3, 0.3))
    coarse = _estimate(game)
    fine = _estimate(game, search=Search(candidates=GRID.candidates, refinements=8, step=0.2))
    assert coarse.value == pytest.approx(2 * (0.09 - 0.04))
    assert fine.value == pytest.approx(2 * 0.09, abs=1e-3)


def test_a_shift_exposes_a_policy_that_reads_the_question_and_a_constant_does_not() -> None:
    """It plays 0.5 or -0.5 by the kind of question, and should play 0.25 more on both."""

    def kinds(seeds: Sequence[int]) -> Array:
        return np.array([[0.5 - seed % 2] * AGENTS for seed in seeds])

    game = Quadratic(
        targets=lambda seeds: kinds(seeds) + 0.25,
        policy=lambda seeds: kinds(seeds)[..., np.newaxis].astype(np.float32),
    )
    shifts = Search(candidates=(*GRID.candidates, *shift_candidates((0.25, 0.5), 1)))
    assert _estimate(game).value == 0.0
    found = _estimate(game, search=shifts)
    assert found.value == pytest.approx(AGENTS * 0.25**2)
    assert found.agents[0].moves == (Move(kind="shift", values=(0.25,)),) * 2


def test_questions_that_fail_are_dropped_from_both_sides_and_counted() -> None:
    best = Deviation(agent=1, move=_constant(0.5))

    def failing(deviation: Deviation | None, seed: int) -> bool:
        return seed < 10 if deviation is None else deviation == best and seed in (9, 10, 11)

    found = _estimate(Quadratic(targets=_always(0.5, 0.5), failing=failing))
    assert (found.questions, found.failed) == (200 - 12, 12)
    assert found.value == pytest.approx(0.5)


def test_a_deviation_that_always_fails_is_not_chosen() -> None:
    broken = Deviation(agent=0, move=_constant(0.5))
    play = Quadratic(targets=_always(0.5, 0.5), failing=lambda deviation, _: deviation == broken)
    found = _estimate(play, search=Search(candidates=(_constant(0.5), _constant(0.25))))
    assert found.agents[0].moves == (_constant(0.25),) * 2
    assert found.failed == 0


def test_every_deviation_is_played_once_on_every_question() -> None:
    played: list[tuple[Deviation | None, int]] = []
    game = Quadratic(targets=_always(0.3, 0.0), noise=0.1)

    def play(deviation: Deviation | None, seeds: Sequence[int]) -> Payoffs:
        played.extend((deviation, seed) for seed in seeds)
        return game(deviation, seeds)

    _estimate(play, search=Search(candidates=GRID.candidates, refinements=4), questions=21)
    assert len(played) == len(set(played))
    assert {seed for deviation, seed in played if deviation is None} == set(range(21))


def test_the_same_seed_gives_the_same_estimate_and_it_is_json() -> None:
    noisy = Quadratic(targets=_always(0.5, 0.0), noise=1.0)
    one, same, other = (_estimate(noisy, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert json.loads(json.dumps(one.to_json()))["interval"] == one.interval.to_json()
    assert "5 constants, 0 shifts" in one.method


def test_what_cannot_be_estimated_is_refused() -> None:
    game = Quadratic(targets=_always(0.5, 0.5))
    with pytest.raises(ValueError, match="at least 4 seeds, all different"):
        _estimate(game, questions=3)
    with pytest.raises(ValueError, match="all different"):
        estimate_nash_conv(game, n_agents=AGENTS, seeds=[1, 1, 2, 3, 4], search=GRID)
    with pytest.raises(ValueError, match=r"\(questions, n_agents\) is \(2, 3\)"):
        estimate_nash_conv(game, n_agents=3, seeds=range(4), search=GRID)
    with pytest.raises(ValueError, match="20 of 20 questions came to no result"):
        _estimate(
            Quadratic(targets=_always(0.5, 0.5), failing=lambda *_: True),
            questions=20,
        )


# The simulator, whose exact values are known.

NEAR = Search(
    candidates=(
        _constant(-0.5, -0.2),
        _constant(-0.5, 0.4),
        _constant(0.4, -0.2),
        Move(kind="shift", values=(0.1, 0.0)),
    )
)
PLACES = 100


@pytest.fixture(scope="module")
def teams() -> Teams:
    settings = {"dataset": "simulated", "llm": "simulated", "n_agents": 3}
    return make_teams("econ_env:batched_parallel_env", settings, PLACES)


@pytest.fixture(scope="module")
def game() -> SimulatedGame:
    return SimulatedGame()


@pytest.mark.slow
def test_the_midpoint_of_the_simulator_is_exploited_by_as_much_as_the_exact_game_says(
    teams: Teams, game: SimulatedGame
) -> None:
    midpoint = np.zeros((3, 2))
    found = _simulate(teams, midpoint, questions=500)
    exact = _exact_nash_conv(game, midpoint)
    assert exact > 0.1
    # The seeds are fixed: with others, one interval in twenty would miss.
    assert 0.05 < found.interval.low <= exact <= found.interval.high


@pytest.mark.slow
def test_in_an_equilibrium_of_the_simulator_nobody_gains(teams: Teams, game: SimulatedGame) -> None:
    equilibrium = _to_box(game, equilibria(game, starts=1)[0].profile)
    found = _simulate(teams, equilibrium, questions=200)
    assert _exact_nash_conv(game, equilibrium) == 0.0
    assert found.interval.low <= 0.0 <= found.interval.high
    assert found.value < 0.05


def _simulate(teams: Teams, profile: Array, questions: int) -> NashConv:
    actions = np.tile(profile.astype(np.float32), (PLACES, 1, 1))

    def act(moment: Moment, step: int) -> FloatArray:
        return actions

    play = play_teams(teams, act)
    return estimate_nash_conv(play, n_agents=3, seeds=range(questions), search=NEAR)


def _exact_nash_conv(game: SimulatedGame, profile: Array) -> float:
    """The sum of the agents' largest gains among the moves of ``NEAR`` and to stay."""
    before = game.expected_rewards(_to_units(game, profile)).agents
    total = 0.0
    for agent in range(game.n_agents):
        gains = [0.0]
        for move in NEAR.candidates:
            deviated = Deviation(agent=agent, move=move).apply(profile.astype(np.float32))
            after = game.expected_rewards(_to_units(game, deviated)).agents
            gains.append(after[agent] - before[agent])
        total += max(gains)
    return total


def _sides(game: SimulatedGame) -> tuple[Array, Array]:
    low = np.array([game.bounds.temperature_min, game.bounds.repetition_penalty_min])
    high = np.array([game.bounds.temperature_max, game.bounds.repetition_penalty_max])
    return low, high


def _to_units(game: SimulatedGame, actions: Array | FloatArray) -> Array:
    low, high = _sides(game)
    return low + (np.asarray(actions, dtype=np.float64) + 1) / 2 * (high - low)


def _to_box(game: SimulatedGame, profile: Array) -> Array:
    low, high = _sides(game)
    return np.asarray(2 * (profile - low) / (high - low) - 1)
