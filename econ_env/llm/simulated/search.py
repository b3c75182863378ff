"""Search in the simulated game: the best action of one executor, and the climb of a team.

The action of one executor is searched on a grid over the box that is refined around its best
point, which finds the maximum of a smooth function to about 1e-4 in T and p. Profiles are searched
by moving one executor at a time: a local search, to be started from several profiles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from econ_env.llm.simulated.payoffs import NUM_KINDS, SimulatedGame
from econ_env.llm.simulated.skill import Array, outcome_probabilities
from econ_env.sampling_action import SamplingBounds
from econ_env.seeds import derive_seed

GRID = (39, 29)
"""First grid of the search for one executor: temperatures, repetition penalties."""
ZOOMS = 5
"""Number of refinements: grids around the best point so far, each with a quarter of the spacing."""
SWEEPS = 60
"""Largest number of rounds in which every executor may move; then the search gives up."""
TOLERANCE = 1e-7
"""Smallest gain of reward that counts."""

Box = tuple[tuple[float, float], tuple[float, float]]
"""Bounds of temperature and of repetition penalty."""


def climb(
    game: SimulatedGame, kinds: list[int], start: Array, box: Box | None = None
) -> tuple[Array, float]:
    """Raise the team reward on ``kinds``, one executor at a time, until there is no further gain.

    Returns the type-aware profile, valid only on ``kinds``, and its team reward on them.
    """
    profile = game.type_aware(start)
    box = box or box_of(game.bounds)
    reached = -np.inf
    for _ in range(SWEEPS):
        before = reached
        for agent in range(game.n_agents):
            values = game.outcome_values(agent, game.team_row, game.probabilities(profile))
            profile[kinds, agent], reached = best_action(game, agent, values, kinds, box)
        if reached - before < TOLERANCE:
            break
    return profile, reached


def climb_at_one_temperature(
    game: SimulatedGame, kinds: list[int], start: Array
) -> tuple[Array, float]:
    """Climb like :func:`climb`, over profiles whose executors all have one temperature."""
    (low, high), penalties = box_of(game.bounds)
    temperatures, spacing = np.linspace(low, high, GRID[0] // 2, retstep=True)
    best, reached = start, -np.inf
    for _ in range(ZOOMS - 1):
        for temperature in np.clip(temperatures, low, high).tolist():
            profile, worth = climb(game, kinds, best, ((temperature, temperature), penalties))
            if worth > reached:
                best, reached = profile, worth
        middle = best[kinds[0], 0, 0]
        temperatures, spacing = middle + spacing * np.linspace(-1, 1, 9), spacing / 4
    return best, reached


def best_action(
    game: SimulatedGame, agent: int, values: Array, kinds: list[int], box: Box
) -> tuple[Array, float]:
    """Return the action (2,) of one executor that is best on all ``kinds``, and its worth on them.

    Args:
        game: the exact game.
        agent: the executor.
        values: expected reward for each of its outcomes, shape (NUM_KINDS, OUTCOMES).
        kinds: the kinds that count.
        box: the box to search.
    """
    skill = game.skills[agent]

    def worth(temperature: Array, penalty: Array) -> Array:
        total = np.zeros(temperature.shape)
        for kind in kinds:
            probabilities = outcome_probabilities(skill, kind, temperature, penalty)
            total += game.kind_share[kind] * (probabilities @ values[kind])
        return total

    return _maximise(worth, box)


def _maximise(worth: Callable[[Array, Array], Array], box: Box) -> tuple[Array, float]:
    """Return the point (2,) of the box with the highest worth, found on a grid that is refined."""
    # unique: a side of length zero needs only one point.
    axes = [np.unique(np.linspace(*side, count)) for side, count in zip(box, GRID, strict=True)]
    spacing = [(high - low) / (count - 1) for (low, high), count in zip(box, GRID, strict=True)]
    for zoom in range(ZOOMS + 1):
        first, second = np.meshgrid(*axes, indexing="ij")
        heights = worth(first, second)
        top = np.unravel_index(int(heights.argmax()), heights.shape)
        best = np.array([first[top], second[top]])
        axes = [
            np.unique(np.clip(middle + step / 4**zoom * np.linspace(-1, 1, 9), *side))
            for middle, step, side in zip(best, spacing, box, strict=True)
        ]
    return best, float(heights[top])


def kind_groups(type_aware: bool) -> list[list[int]]:
    """Return the groups of kinds that share an action."""
    return [[kind] for kind in range(NUM_KINDS)] if type_aware else [list(range(NUM_KINDS))]


def box_of(bounds: SamplingBounds) -> Box:
    """Return the sides of the box of actions."""
    return (
        (bounds.temperature_min, bounds.temperature_max),
        (bounds.repetition_penalty_min, bounds.repetition_penalty_max),
    )


def start_profiles(game: SimulatedGame, count: int) -> list[Array]:
    """Return the midpoint of the box, then fixed random profiles: each (n, 2)."""
    if count < 1:
        raise ValueError(f"starts must be at least 1, got {count}")
    low, high = np.array(box_of(game.bounds)).T
    generator = np.random.Generator(np.random.PCG64(derive_seed("simulated starts")))
    points = generator.random((count, game.n_agents, 2))
    points[0] = 0.5
    return list(low + points * (high - low))
