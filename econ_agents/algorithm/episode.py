"""What was played: the record that rollout makes and buffer, metrics, nash and evaluate read."""

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
    """The sequence of episodes that it continues: memories go from one to the next of a stream."""
    seed: int
    """Seed with which the environment was reset."""
    observations: FloatArray
    """Shape (T + 1, n, obs_dim): before every step, and at the end."""
    states: FloatArray
    """Shape (T + 1, state_dim)."""
    actions: FloatArray
    """Shape (T, n, action_dim), in [-1, 1]."""
    rewards: FloatArray
    """Shape (T, n)."""
    team_rewards: FloatArray
    """Shape (T,): the info ``team_reward`` where the environment has it, else the agents' mean."""
    infos: Mapping[str, FloatArray]
    """Every numeric info of the environment, shape (T, n): one row per step."""
    terminated: bool
    """Whether the game ended, so that nothing is to be expected beyond the last step. False after
    a time limit: there the value of the last observation is part of the return."""
    failed: bool
    """Whether it came to no result: such an episode is counted, and never learned from."""
    memory: FloatArray
    """Shape (L0, n, memory_dim): what the policy remembered when the episode began."""

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
        """T, the number of steps."""
        return len(self.rewards)

    @property
    def n_agents(self) -> int:
        """The number of agents n."""
        return int(self.rewards.shape[-1])

    def _check(self, name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
        """Raise ``ValueError`` unless ``array`` has this shape, where None is any size."""
        if array.ndim != len(shape) or any(
            size not in (None, own) for own, size in zip(array.shape, shape, strict=True)
        ):
            raise ValueError(
                f"{name} of episode {self.number} has the shape {array.shape}; with rewards of "
                f"shape {self.rewards.shape} it should be {shape} (None: any size)"
            )
