"""Interface of whoever plays a policy's episodes, and the one that plays them in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.algorithm.rollout import Override, play_episodes
from econ_agents.environments import Teams

Trace: TypeAlias = Mapping[str, Any] | None
"""The environment's record of an episode; None if it keeps none."""
Observer: TypeAlias = Callable[[Episode, Callable[[], Trace]], None]
"""Callback with an ended episode and a function that returns its record."""


class Rollouts(Protocol):
    """Plays the episodes of one phase. Their course does not depend on who plays them, or where."""

    def play(
        self,
        policy: TeamPolicy,
        seeds: Sequence[int],
        *,
        first: int = 0,
        explore: bool = False,
        options: Mapping[str, Any] | None = None,
        questions: Sequence[int] | None = None,
        observe: Observer | None = None,
        traces: bool = False,
    ) -> list[Episode]:
        """Play one episode per seed; episode k continues stream k modulo the number of streams.

        Args:
            policy: the team's policy; its streams continue from their present state.
            seeds: seeds of the episodes, for the environment.
            first: number of the first episode.
            explore: True to explore: the policy's actions are replaced.
            options: options of every reset.
            questions: number of the question of every seed; None leaves the choice to the seeds.
            observe: called for every episode, in their order.
            traces: True if ``observe`` reads the records of all episodes, not only of failed ones.
        """

    def close(self) -> None:
        """Release what was opened to play."""


@dataclass(frozen=True, kw_only=True)
class LocalRollouts:
    """Plays in this process."""

    teams: Teams
    """The environment; whoever made it closes it."""
    exploration: Override | None = None
    """Replacement of the policy's actions where exploration is asked for."""

    def play(
        self,
        policy: TeamPolicy,
        seeds: Sequence[int],
        *,
        first: int = 0,
        explore: bool = False,
        options: Mapping[str, Any] | None = None,
        questions: Sequence[int] | None = None,
        observe: Observer | None = None,
        traces: bool = False,
    ) -> list[Episode]:
        """Play one episode per seed; see :class:`Rollouts`."""
        if explore and self.exploration is None:
            raise ValueError("explore=True needs an exploration")

        def watch(place: int, episode: Episode) -> None:
            if observe is not None:
                observe(episode, partial(self.teams.trace, place))

        return play_episodes(
            self.teams,
            policy,
            seeds,
            first=first,
            override=self.exploration if explore else None,
            options=options,
            questions=questions,
            watch=watch,
        )

    def close(self) -> None:
        """Do nothing: the environment belongs to whoever made it."""
