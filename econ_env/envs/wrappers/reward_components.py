"""Rewards as vectors, for learners with several objectives."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from econ_env.envs.infos import AGENT_KEYS
from econ_env.envs.wrappers.base import GameWrapper


class RewardComponents(GameWrapper):
    """Pay every agent the components of its reward, instead of their weighted sum.

    A reward is an array (3,), float32, of the unweighted components ``reward_names``: ts (own
    answer correct), al (agreement with the commitment) and cc (contribution), each in [0, 1], and
    zero until a decision closes. ``reward_spaces`` describe them. The sum with the weights of the
    episode is the reward of the environment without this wrapper.

    Args:
        env: an :class:`~econ_env.envs.parallel.EconParallelEnv`, possibly wrapped already.

    Raises:
        TypeError: ``env`` is another environment.
    """

    reward_names = AGENT_KEYS
    """Names of the components, in order."""

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        super().__init__(env)
        self.reward_spaces = {
            agent: Box(0.0, 1.0, (len(AGENT_KEYS),), np.float32)
            for agent in self._game.possible_agents
        }

    def reward_space(self, agent: str) -> Box:
        """The space of ``agent``'s rewards, always the same object."""
        return self.reward_spaces[agent]

    def step(  # type: ignore[override]  # rewards are vectors
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, NDArray[np.float32]],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Play one round; the rewards are arrays (3,)."""
        observations, _, terminations, truncations, infos = super().step(actions)
        rewards = {
            agent: np.array([info[key] for key in AGENT_KEYS], dtype=np.float32)
            for agent, info in infos.items()
        }
        return observations, rewards, terminations, truncations, infos
