"""NashConv of a trained policy: the deviations to try, and the episodes to play them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from econ_agents.algorithm.builders import build_policy
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.question_order import question_order
from econ_agents.algorithm.rollout import Override, play_episodes
from econ_agents.config.schema import Config
from econ_agents.environments import Teams
from econ_agents.equilibrium.deviations import Search, grid_candidates, shift_candidates
from econ_agents.equilibrium.nash_conv import NashConv, estimate_nash_conv
from econ_agents.equilibrium.payoffs import play_recorded
from econ_agents.networks import TeamNetworks
from econ_agents.seeds import derive_seed

GRID_POINTS = 5
"""Constants per axis of the action box, if the grid stays within ``MAX_GRID``."""
SHIFTS = (0.1, 0.25, 0.5)
"""Sizes of the shifts, in units of the action box."""
MAX_GRID = 125
"""Largest grid of constants; larger action spaces are searched by shifts alone."""


def measure_nash_conv(
    config: Config,
    networks: TeamNetworks,
    teams: Teams,
    *,
    questions: int,
    seed: int,
    options: dict[str, Any] | None = None,
    played: Callable[[], object] = lambda: None,
) -> NashConv:
    """Measure NashConv of the policy on ``questions`` episodes; see :mod:`.nash_conv`.

    Args:
        config: the configuration.
        networks: networks of the team.
        teams: the environment; no episode is running in it.
        questions: number of questions on which every deviation is played.
        seed: seed of the questions and of their split into halves.
        options: options of every reset.
        played: called whenever all questions of a half were played once; see :func:`most_plays`.
    """
    seeds = [derive_seed(seed, "nash", k) for k in range(questions)]
    order = question_order(teams, questions, seed=seed, purpose="nash")
    numbers = None if order.numbers is None else dict(zip(seeds, order.numbers, strict=True))

    def record(override: Override | None, chosen: Sequence[int]) -> list[Episode]:
        policy = build_policy(config, networks, teams.space, "test")
        asked = None if numbers is None else [numbers[one] for one in chosen]
        return play_episodes(
            teams, policy, chosen, override=override, options=options, questions=asked
        )

    return estimate_nash_conv(
        play_recorded(record, discount=config.train.gamma, played=played),
        n_agents=len(teams.space.agents),
        seeds=seeds,
        search=default_search(teams.space.action_size),
        seed=seed,
    )


def most_plays(n_agents: int, action_size: int) -> int:
    """Largest number of times that a half of the questions is played, counted over both halves."""
    search = default_search(action_size)
    moves = len(search.candidates) + 2 * action_size * search.refinements
    return 2 * (1 + n_agents * moves)


def default_search(action_size: int) -> Search:
    """Search over shifts of the policy's own actions, and a grid of constants if it is small."""
    shifts = shift_candidates(SHIFTS, action_size)
    points = next((p for p in range(GRID_POINTS, 1, -1) if p**action_size <= MAX_GRID), None)
    grid = () if points is None else grid_candidates(points, action_size)
    return Search(candidates=(*grid, *shifts), refinements=3)
