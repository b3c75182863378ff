"""stable-baselines3's vector of environments over one batch, with a row for every executor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from econ_env.envs.batched import batched_parallel_env
from econ_env.envs.keywords import takes_settings
from econ_env.envs.spaces import FloatArray, unit_box

__all__ = ["ExecutorsVecEnv"]


class ExecutorsVecEnv(VecEnv):
    """B questions with n executors each, as B · n rows of one learner whose parameters all share.

    It is what SuperSuit's ``concat_vec_envs_v1`` makes of B copies of a team, but the requests of a
    phase, over all questions, reach their model in one call, and ``PPO(..., seed=0)`` works. Row
    ``b * n + i`` is executor i on question b; question b with seed s plays what ``parallel_env``
    plays with seed s + b. A row's reward is its executor's own.

    The rows of a question whose episode ended start the next one in the same step: their infos hold
    ``"terminal_observation"``, ``"failed"`` (True: a request failed, the episode has no result) and
    ``"TimeLimit.truncated"``, as stable-baselines3 reads it.

    Args:
        num_questions: B >= 1.
        indicate_agents: append the one-hot index of the executor to its observation. Without it
            executors that share parameters act alike.
        settings: those of :class:`~econ_env.config.EnvConfig`.
    """

    @takes_settings
    def __init__(
        self, num_questions: int = 16, *, indicate_agents: bool = True, **settings: Any
    ) -> None:
        self.game = batched_parallel_env(num_questions, **settings)
        """The batch that is played; its transcripts and usage are there."""
        self._agents = self.game.possible_agents
        agents = len(self._agents)
        self._indicator = np.eye(agents if indicate_agents else 0, dtype=np.float32)
        own = self.game.observation_space(self._agents[0]).shape or (0,)
        self._actions: NDArray[Any] = np.zeros(0)
        super().__init__(
            num_questions * agents,
            unit_box(own[0] + len(self._indicator)),
            self.game.action_space(self._agents[0]),
        )

    def reset(self) -> FloatArray:
        """Start all episodes, with the seeds of ``seed(...)`` if it was called."""
        seen, _ = self.game.reset(seed=self._seeds[0])
        self._reset_seeds()
        return self._rows(seen)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions (B · n, 2) for ``step_wait``."""
        self._actions = np.asarray(actions).reshape(-1, len(self._agents), 2)

    def step_wait(
        self,
    ) -> tuple[FloatArray, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Play a round of every question, and start the next episodes of those that ended."""
        chosen = dict(zip(self._agents, self._actions.swapaxes(0, 1), strict=True))
        seen, rewards, terminated, truncated, all_infos = self.game.step(chosen)
        observations = self._rows(seen)
        cut = truncated[self._agents[0]]
        ended = terminated[self._agents[0]] | cut
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        size = len(self._agents)
        for row in np.flatnonzero(np.repeat(ended, size)).tolist():
            question = row // size
            infos[row] = {
                "terminal_observation": observations[row],
                "TimeLimit.truncated": bool(cut[question]),
                "failed": bool(all_infos[self._agents[0]]["failed"][question]),
            }
        if ended.any():
            observations = self._rows(self.game.reset(mask=ended)[0])
        paid = np.stack(list(rewards.values()), axis=1).reshape(-1).astype(np.float32)
        return observations, paid, np.repeat(ended, size), infos

    def close(self) -> None:
        """Close the cache's file. Models are shared by the process and stay loaded."""
        self.game.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the batch, which all rows share; there is no ``render_mode``."""
        found = None if attr_name == "render_mode" else getattr(self.game, attr_name)
        return [found for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Raise ``NotImplementedError``: settings are given when the rows are made."""
        raise NotImplementedError(f"give {attr_name} to ExecutorsVecEnv(...)")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """Raise ``NotImplementedError``: rows share one batch, whose methods ``game`` has."""
        raise NotImplementedError(f"call {method_name} of .game, which all rows share")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for all rows: wrappers go around the vector."""
        return [False for _ in self._get_indices(indices)]

    def _rows(self, seen: dict[str, FloatArray]) -> FloatArray:
        """Every executor's observation, (B · n, size), executors of a question side by side."""
        observations = np.stack([seen[agent] for agent in self._agents], axis=1)
        marks = np.broadcast_to(self._indicator, (len(observations), *self._indicator.shape))
        if len(self._indicator):
            observations = np.concatenate([observations, marks], axis=2)
        return observations.reshape(self.num_envs, -1)
