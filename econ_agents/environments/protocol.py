"""What the learner plays: :class:`Teams`, and what it is told after a reset or a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from econ_agents.environments.space import EnvironmentMisfit, FloatArray, TeamSpace

Flags: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = NDArray[np.float64]

FAILED = "failed"
"""The info by which an environment says that an episode came to no result."""
TEAM_REWARD = "team_reward"
"""The info that holds the reward of the team."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moment:
    """All B places after a reset or a step. Every array is fresh: it may be kept.

    A place whose episode has ended stays as it was, without reward, until it is reset; one that
    was never reset is zero.

    Raises:
        EnvironmentMisfit: an observation, a state or a reward is not finite.
    """

    observations: FloatArray
    """Shape (B, n, observation_size)."""
    state: FloatArray
    """Shape (B, state_size)."""
    rewards: Values
    """Shape (B, n): of this step, zero for idle places and after a reset."""
    terminated: Flags
    """Shape (B,): the game ended in this step."""
    truncated: Flags
    """Shape (B,): the episode was cut off in this step, by a time limit or a failure."""
    active: Flags
    """Shape (B,): an episode is running now."""
    infos: Mapping[str, Values]
    """Numeric infos, shape (B, n) each. A key is there if it is a number for every agent of one
    of the places, and zero where a place does not have it."""

    def __post_init__(self) -> None:
        for name in ("observations", "state", "rewards"):
            finite = np.isfinite(getattr(self, name))
            if not finite.all():
                place = int(np.argwhere(~finite)[0, 0])
                raise EnvironmentMisfit(
                    f"{name} of place {place} are not all finite: the environment gave NaN or "
                    "infinity, from which nothing can be learned; correct it there"
                )


class Teams(Protocol):
    """B places; in each, a team of n agents plays one episode at a time."""

    @property
    def space(self) -> TeamSpace:
        """The sizes of observations, actions and states."""

    @property
    def num_places(self) -> int:
        """B."""

    def reset(self, seeds: Mapping[int, int], options: Mapping[str, Any] | None = None) -> Moment:
        """Start an episode in some places; the others stay as they are.

        Args:
            seeds: from place (0 to B - 1) to the seed of its episode.
            options: handed to the environment unchanged, for the places that start.
        """

    def step(self, actions: NDArray[np.floating[Any]]) -> Moment:
        """Let all running episodes take one step.

        Args:
            actions: shape (B, n, action_size), in [-1, 1]; rows of idle places are not read.

        Raises:
            gymnasium.error.ResetNeeded: no episode is running.
            ValueError: an action of a running episode is outside of [-1, 1] or no number.
        """

    def trace(self, place: int) -> dict[str, Any] | None:
        """The record that the environment keeps of a place's latest episode, as plain JSON data.

        It is asked for where there is a ``transcript`` with a method ``to_json``, as environments
        of language models have it. None: there is none. Learners never see it.
        """

    def close(self) -> None:
        """Let go of what the environment holds."""


def check_places(seeds: Mapping[int, int], num_places: int) -> None:
    """Raise ``ValueError`` if one of the places to reset does not exist."""
    unknown = [place for place in seeds if not 0 <= place < num_places]
    if unknown:
        raise ValueError(f"there are places 0 to {num_places - 1}, no {unknown[0]}")


def check_actions(
    actions: NDArray[np.floating[Any]], active: Flags, space: TeamSpace
) -> NDArray[np.floating[Any]]:
    """The actions with zeros in idle places, whose rows may hold anything.

    Raises:
        ValueError: the shape is wrong, or an action of an active place is not in [-1, 1].
    """
    shape = len(active), len(space.agents), space.action_size
    if actions.shape != shape:
        raise ValueError(f"actions have the shape {actions.shape}, not {shape}")
    # Written so that NaN is outside, too.
    outside = ~(np.abs(actions[active]) <= 1.0)
    if outside.any():
        row, agent, _ = np.argwhere(outside)[0]
        raise ValueError(
            f"the action of {space.agents[agent]} in place {np.flatnonzero(active)[row]} is "
            f"{actions[active][row, agent].tolist()}, not in [-1, 1]"
        )
    return np.where(active[:, np.newaxis, np.newaxis], actions, 0)


def endings(terminations: Flags, truncations: Flags, space: TeamSpace) -> tuple[Flags, Flags]:
    """Whether each episode terminated or was truncated, from what every agent was told.

    Args:
        terminations: shape (B, n), false in idle places.
        truncations: the same.
        space: for the agents' names.

    Returns:
        terminated and truncated, shape (B,). At most one of them is true: truncated is what ended
        without all agents terminating.

    Raises:
        EnvironmentMisfit: in a place, some agents left and others stayed.
    """
    left = terminations | truncations
    ended: Flags = np.asarray(left.all(axis=1))
    torn: Flags = np.asarray(left.any(axis=1)) & ~ended
    if torn.any():
        gone = space.agents[int(np.argmax(left[np.argmax(torn)]))]
        raise EnvironmentMisfit(
            f"{gone!r} left its episode before the others did, but a team learns as a whole: wrap "
            "the environment so that all agents stay to the end, with supersuit.black_death_v3 "
            "for example"
        )
    terminated: Flags = np.asarray(terminations.all(axis=1))
    return terminated, ended & ~terminated
