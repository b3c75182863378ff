"""Deviations of one agent: moves, sets of candidate moves, and the search for the best one.

All actions are those of the learner, in [-1, 1]. A *constant* replaces the agent's action and
ignores the observation. A *shift* is added to the policy's own action and clipped: the agent still
reads its observation, but leans to one side. A policy that reads the question can be beaten by
constants only if reading does not pay, and by shifts if it is off in one direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

import numpy as np

from econ_agents.algorithm.episode import FloatArray

_WIDEST = {"constant": 1.0, "shift": 2.0}
"""Largest value of a move on one axis; a shift of 2 leads from one side of the box to the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """Another way to act, for any agent."""

    kind: Literal["constant", "shift"]
    values: tuple[float, ...]
    """Values, one per axis of the action: in [-1, 1] for a constant, in [-2, 2] for a shift."""

    def __post_init__(self) -> None:
        widest = _WIDEST[self.kind]
        if not all(abs(value) <= widest for value in self.values):
            raise ValueError(
                f"a {self.kind} has values in [-{widest:g}, {widest:g}], got {self.values}"
            )

    def apply(self, actions: FloatArray) -> FloatArray:
        """Return, as a new array, the moves that replace ``actions``, shape (..., action_size)."""
        values = np.array(self.values, dtype=np.float32)
        if values.shape != actions.shape[-1:]:
            raise ValueError(
                f"the move has {len(self.values)} values and the action {actions.shape[-1]}: "
                "make the candidates with the action_size of the environment"
            )
        start = actions if self.kind == "shift" else np.zeros_like(actions)
        played: FloatArray = np.clip(start + values, -1, 1)
        return played

    def neighbours(self, step: float) -> list[Move]:
        """Moves one step away along one axis, within the bounds: at most 2 * action_size."""
        widest = _WIDEST[self.kind]
        found = []
        for axis, value in enumerate(self.values):
            for target in (value - step, value + step):
                near = min(max(target, -widest), widest)
                if near != value:
                    values = (*self.values[:axis], near, *self.values[axis + 1 :])
                    found.append(Move(kind=self.kind, values=values))
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Deviation:
    """Deviation of one agent by the same move in every step; the others keep to the policy."""

    agent: int
    move: Move

    def apply(self, actions: FloatArray) -> FloatArray:
        """Return new joint actions with the deviation, shape (..., n_agents, action_size)."""
        deviated = actions.copy()
        deviated[..., self.agent, :] = self.move.apply(actions[..., self.agent, :])
        return deviated


def grid_candidates(points_per_axis: int, action_size: int) -> tuple[Move, ...]:
    """Constants on a regular grid over the box: ``points_per_axis ** action_size`` of them.

    A single point is the middle of the box. Two or more points include the sides.
    """
    if points_per_axis < 1:
        raise ValueError(f"points_per_axis must be at least 1, got {points_per_axis}")
    axis = np.linspace(-1, 1, points_per_axis).tolist() if points_per_axis > 1 else [0.0]
    return tuple(
        Move(kind="constant", values=values) for values in product(axis, repeat=action_size)
    )


def shift_candidates(sizes: Sequence[float], action_size: int) -> tuple[Move, ...]:
    """Shifts up and down by every size, along one axis each: 2 * len(sizes) * action_size."""
    middle = Move(kind="shift", values=(0.0,) * action_size)
    return tuple(move for size in sizes for move in middle.neighbours(size))


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Search over moves: tries the candidates, then steps around the best one (compass search).

    A refinement tries the neighbours of the best move so far. If one of them is better, the search
    moves there, else it halves the step.
    """

    candidates: tuple[Move, ...]
    refinements: int = 0
    """Number of refinements, each of up to 2 * action_size moves; 0 tries the candidates only."""
    step: float = 0.25
    """Distance of the first neighbours along one axis, in units of actions."""

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ValueError("a search needs at least one candidate")
        if self.refinements < 0 or not self.step > 0:
            raise ValueError(
                "a search has refinements >= 0 and a step > 0, got "
                f"refinements={self.refinements}, step={self.step}"
            )

    def __str__(self) -> str:
        kinds = [move.kind for move in self.candidates]
        return (
            f"{kinds.count('constant')} constants, {kinds.count('shift')} shifts, "
            f"{self.refinements} refinements from step {self.step:g}"
        )

    def best(self, worth: Callable[[Move], float]) -> tuple[Move, float]:
        """Find the best move and its worth; of equal moves the first. Every move is tried once."""
        once = lru_cache(maxsize=None)(worth)
        best = max(self.candidates, key=once)
        step = self.step
        for _ in range(self.refinements):
            near = max(best.neighbours(step), key=once)
            if once(near) > once(best):
                best = near
            else:
                step /= 2
        return best, once(best)
