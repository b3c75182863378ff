"""Discrete actions, for learners that cannot choose from a box."""

from __future__ import annotations

from typing import Any

from gymnasium.spaces import Discrete, Space
from pettingzoo import ParallelEnv

from econ_env.envs.discretisation import DEFAULT_BINS, Levels
from econ_env.envs.wrappers.base import GameWrapper, StepResult


class DiscreteActions(GameWrapper):
    """Replace every agent's box of actions by ``Discrete(bins²)``: for QMIX, VDN, DQN and others.

    Temperature and repetition penalty have ``bins`` equally spaced levels each, from the lowest to
    the highest; action a stands for level ``a // bins`` of the temperature and ``a % bins`` of the
    penalty, as in the joint view ``"discrete"``. The last action stays in
    observations, in [-1, 1].

    Args:
        env: an :class:`~econ_env.envs.parallel.EconParallelEnv`, possibly wrapped already.
        bins: levels of each coordinate, >= 2.

    Raises:
        TypeError: ``env`` is another environment.
        ValueError: ``bins`` is not a whole number >= 2.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any], bins: int = DEFAULT_BINS) -> None:
        super().__init__(env)
        self._levels = Levels(bins=bins)
        self.action_spaces = {
            agent: Discrete(self._levels.count) for agent in self._game.possible_agents
        }
        # Programs read from "action_parts" the meaning of a box's coordinates, which is gone.
        self.metadata = {key: value for key, value in env.metadata.items() if key != "action_parts"}

    @property
    def bins(self) -> int:
        """Levels of each coordinate."""
        return self._levels.bins

    def action_space(self, agent: str) -> Space[Any]:
        """The space of ``agent``'s actions, always the same object."""
        return self.action_spaces[agent]

    def step(self, actions: dict[str, Any]) -> StepResult:
        """Play one round with one number for every agent.

        Raises:
            ResetNeeded: before the first ``reset`` or after the end of the episode.
            ValueError: an action is missing, of an unknown agent, or not in the space.
        """
        return super().step(
            {
                agent: self._levels.points(number, (), f"the action of {agent}")
                for agent, number in actions.items()
            }
        )
