"""Returns and lengths of episodes, for loggers."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pettingzoo import ParallelEnv

from econ_env.envs.wrappers.base import GameWrapper, StepResult


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeSummary:
    """One episode that ended with a result."""

    returns: Mapping[str, Any]
    """Sum of the rewards of every agent, without discount."""
    team_return: float
    """Sum of the team rewards."""
    length: int
    """Number of rounds, each of them one step."""
    correct: bool
    """True if the last commitment is correct."""


class EpisodeStatistics(GameWrapper):
    """Add ``episode_return`` and ``episode_length`` to infos, and keep summaries of past episodes.

    Both are numbers of the episode so far: zero at reset, and final in the step that ends it.
    ``episodes`` holds the summaries of the last ones, oldest first. An episode in which a request
    failed has no result: it is counted in ``failed`` and has no summary. Of
    :class:`RewardComponents` inside, the returns are vectors.

    Args:
        env: an :class:`~econ_env.envs.parallel.EconParallelEnv`, possibly wrapped already.
        window: number of summaries kept, >= 1.

    Raises:
        TypeError: ``env`` is another environment.
        ValueError: ``window`` is not a whole number >= 1.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any], window: int = 100) -> None:
        super().__init__(env)
        if type(window) is not int or window < 1:
            raise ValueError(f"window must be a whole number >= 1, got {window!r}")
        self.episodes: deque[EpisodeSummary] = deque(maxlen=window)
        self.failed = 0
        """Number of episodes without a result."""
        self._start()

    def _start(self) -> None:
        self._returns: dict[str, Any] = dict.fromkeys(self._game.possible_agents, 0.0)
        self._team_return = 0.0
        self._length = 0

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode, and drop one that has not ended."""
        observations, infos = super().reset(seed=seed, options=options)
        self._start()
        return observations, self._with_statistics(infos)

    def step(self, actions: dict[str, Any]) -> StepResult:
        """Play one round, and note the episode if it ends."""
        observations, rewards, terminations, truncations, infos = super().step(actions)
        self._returns = {agent: self._returns[agent] + rewards[agent] for agent in rewards}
        one = next(iter(infos.values()))
        self._team_return += one["team_reward"]
        self._length += 1
        if all(truncations.values()):
            self.failed += 1
        elif all(terminations.values()):
            self.episodes.append(
                EpisodeSummary(
                    returns=self._returns,
                    team_return=self._team_return,
                    length=self._length,
                    correct=one["correct"] == 1,
                )
            )
        return observations, rewards, terminations, truncations, self._with_statistics(infos)

    def _with_statistics(self, infos: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {
            agent: {
                **info,
                "episode_return": self._returns[agent],
                "episode_length": float(self._length),
            }
            for agent, info in infos.items()
        }
