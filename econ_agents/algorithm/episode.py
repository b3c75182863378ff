"""The record of one played episode: made by the rollout, read by all that learns or measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Episode:
    """One episode of a team: T steps of n agents, from its reset to its end.

    Raises:
        ValueError: the arrays do not belong to one episode of one team.
    """

    number: int
    """Place of the episode in its run, from 0."""
    stream: int
    """Number of its stream, a sequence of episodes; memory can carry over within a stream."""
    seed: int
    """Seed with which the environment was reset."""
    observations: FloatArray
    """Observations before every step and at the end, shape (T + 1, n, obs_dim)."""
    states: FloatArray
    """Global states before every step and at the end, shape (T + 1, state_dim)."""
    actions: FloatArray
    """Actions, shape (T, n, action_dim), in [-1, 1]."""
    rewards: FloatArray
    """Rewards of the agents, shape (T, n)."""
    team_rewards: FloatArray
    """Team rewards, shape (T,): the info ``team_reward`` if there is one, else the agents' mean."""
    infos: Mapping[str, FloatArray]
    """Every numeric info of the environment, shape (T, n): one row per step."""
    terminated: bool
    """True if the game ended, so that no reward can follow the last step. False after a time
    limit, where the value of the last observation is part of the return."""
    failed: bool
    """True if the episode came to no result: it is counted, but never learned from."""
    memory: FloatArray
    """The policy's memory when the episode began, shape (L0, n, memory_dim)."""

    def __post_init__(self) -> None:
        steps, agents = self.length, self.n_agents
        if not steps:
            raise ValueError(f"episode {self.number} has no step")
        self._check("observations", self.observations, (steps + 1, agents, None))
        self._check("states", self.states, (steps + 1, None))
        self._check("actions", self.actions, (steps, agents, None))
        self._check("rewards", self.rewards, (steps, agents))
        self._check("team_rewards", self.team_rewards, (steps,))
        self._check("memory", self.memory, (None, agents, None))
        for key, values in self.infos.items():
            self._check(f"infos[{key!r}]", values, (steps, agents))

    @property
    def length(self) -> int:
        """Number of steps T."""
        return len(self.rewards)

    @property
    def n_agents(self) -> int:
        """Number of agents n."""
        return int(self.rewards.shape[-1])

    def _check(self, name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
        """Raise ``ValueError`` unless ``array`` has this shape; None stands for any size."""
        if array.ndim != len(shape) or any(
            size not in (None, own) for own, size in zip(array.shape, shape, strict=True)
        ):
            raise ValueError(
                f"{name} of episode {self.number} has the shape {array.shape}; with rewards of "
                f"shape {self.rewards.shape} it should be {shape} (None: any size)"
            )
