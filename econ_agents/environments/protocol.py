"""Interface of the learner to environments: :class:`Teams` to play, :class:`Moment` to observe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from econ_agents.environments.questions import Asked
from econ_agents.environments.space import EnvironmentMisfit, FloatArray, TeamSpace

Flags: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = NDArray[np.float64]

FAILED = "failed"
"""Info with which an environment reports that an episode came to no result."""
TEAM_REWARD = "team_reward"
"""Info that holds the reward of the team."""
COMMITMENT_PERIOD = "commitment_period"
"""Info with which an environment says exactly how many rounds ago it committed to the same value:
1 if the commitment repeats, 2 if the commitments went A, B, A, else 0."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moment:
    """All B places after a reset or a step. Every array is a copy that may be kept.

    A place whose episode has ended stays as it was, without reward, until it is reset. A place
    that was never reset is zero.

    Raises:
        EnvironmentMisfit: an observation, a state or a reward is not finite.
    """

    observations: FloatArray
    """Observations, shape (B, n, observation_size)."""
    state: FloatArray
    """States, shape (B, state_size)."""
    rewards: Values
    """Rewards of this step, shape (B, n); zero for idle places and after a reset."""
    terminated: Flags
    """True if the game ended in this step, shape (B,)."""
    truncated: Flags
    """True if the episode was cut off in this step, by a time limit or a failure, shape (B,)."""
    active: Flags
    """True if an episode is running now, shape (B,)."""
    infos: Mapping[str, Values]
    """Numeric infos, shape (B, n) each. A key is present if it is a number for every agent of at
    least one place; it is zero in places that do not have it."""

    @property
    def commitment_periods(self) -> Values | None:
        """The info ``commitment_period`` of every place, shape (B,); None if it is not reported."""
        periods = self.infos.get(COMMITMENT_PERIOD)
        return None if periods is None else periods[:, 0]

    def __post_init__(self) -> None:
        for name in ("observations", "state", "rewards"):
            finite = np.isfinite(getattr(self, name))
            if not finite.all():
                place = int(np.argwhere(~finite)[0, 0])
                raise EnvironmentMisfit(
                    f"{name} of place {place} are not all finite: the environment gave NaN or "
                    "infinity, from which nothing can be learned; correct the environment"
                )


class Teams(Protocol):
    """B places, in each of which a team of n agents plays one episode at a time."""

    @property
    def space(self) -> TeamSpace:
        """Sizes of observations, actions and states."""

    @property
    def num_places(self) -> int:
        """Number of places B."""

    def num_questions(self, wanted: int) -> int | None:
        """Return the number of questions that :meth:`reset` can be asked for by their numbers.

        None if the environment has none; see
        :func:`~econ_agents.environments.questions.count_questions`.
        """

    def reset(
        self,
        seeds: Mapping[int, int],
        options: Mapping[str, Any] | None = None,
        questions: Mapping[int, Asked] | None = None,
    ) -> Moment:
        """Start an episode in some places; the others stay as they are.

        Args:
            seeds: seed of the episode to start, by place (0 to B - 1).
            options: options of the reset, passed on to the environment unchanged.
            questions: number of the question to play, or a text of one's own, by place; None
                leaves the choice to the environment and the seeds.
        """

    def step(self, actions: NDArray[np.floating[Any]]) -> Moment:
        """Let all running episodes take one step.

        Args:
            actions: shape (B, n, action_size), in [-1, 1]; rows of idle places are not read.

        Raises:
            gymnasium.error.ResetNeeded: no episode is running.
            ValueError: an action of a running episode is outside [-1, 1] or NaN.
        """

    def trace(self, place: int) -> dict[str, Any] | None:
        """Return the environment's record of a place's latest episode, as plain JSON data.

        It is the environment's ``transcript``, through its method ``to_json``, as environments of
        language models have it; None if there is none. Learners never see it.
        """

    def text(self, place: int, *, colour: bool = False) -> str | None:
        """Return a place's latest episode in the environment's words; None if it has none.

        It is what the environment's method ``episode_text`` returns, with or without the colours of
        a terminal.
        """

    @property
    def status(self) -> str:
        """Cause of the wait, in the environment's words; "" if there is none or it does not tell.

        It is the environment's attribute ``status``, which may be read from any thread.
        """

    def close(self) -> None:
        """Release the environment's resources."""


def check_places(seeds: Mapping[int, int], num_places: int) -> None:
    """Raise ``ValueError`` if one of the places to reset does not exist."""
    unknown = [place for place in seeds if not 0 <= place < num_places]
    if unknown:
        raise ValueError(f"there is no place {unknown[0]}: places are 0 to {num_places - 1}")


def check_actions(
    actions: NDArray[np.floating[Any]], active: Flags, space: TeamSpace
) -> NDArray[np.floating[Any]]:
    """Check the actions of active places, and return them with zeros in idle places.

    Raises:
        ValueError: the shape is wrong, or an action of an active place is not in [-1, 1].
    """
    shape = len(active), len(space.agents), space.action_size
    if actions.shape != shape:
        raise ValueError(f"actions have the shape {actions.shape}, not {shape}")
    # Written so that NaN counts as outside, too.
    outside = ~(np.abs(actions[active]) <= 1.0)
    if outside.any():
        row, agent, _ = np.argwhere(outside)[0]
        raise ValueError(
            f"the action of {space.agents[agent]} in place {np.flatnonzero(active)[row]} is "
            f"{actions[active][row, agent].tolist()}, not in [-1, 1]"
        )
    return np.where(active[:, np.newaxis, np.newaxis], actions, 0)


def endings(terminations: Flags, truncations: Flags, space: TeamSpace) -> tuple[Flags, Flags]:
    """Combine the agents' terminations and truncations into those of the episodes.

    Args:
        terminations: shape (B, n), false in idle places.
        truncations: shape (B, n), false in idle places.
        space: space of the environment, for the agents' names.

    Returns:
        ``terminated`` and ``truncated``, shape (B,) each, of which at most one is true. An episode
        that ended without the termination of all agents is truncated.

    Raises:
        EnvironmentMisfit: in some place, some agents left and others stayed.
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
