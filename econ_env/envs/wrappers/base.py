"""The base of all wrappers: one around an econ environment, possibly wrapped already."""

from __future__ import annotations

from typing import Any, TypeAlias

from pettingzoo import ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper

from econ_env.envs.parallel import EconParallelEnv

StepResult: TypeAlias = tuple[
    dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
]
"""Observations, rewards, terminations, truncations and infos of a step, each by agent."""


class GameWrapper(BaseParallelWrapper[str, Any, Any]):
    """A wrapper that reads the game below all other wrappers.

    Args:
        env: an :class:`~econ_env.envs.parallel.EconParallelEnv`, possibly wrapped already.

    Raises:
        TypeError: there is another environment below.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        super().__init__(env)
        game = env.unwrapped
        if not isinstance(game, EconParallelEnv):
            raise TypeError(
                f"{type(self).__name__} wraps an EconParallelEnv, got {type(game).__name__}"
            )
        self._game = game
