"""Environments with a batch axis of their own, stepped as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Space
from numpy.typing import ArrayLike, NDArray

from econ_agents.environments.protocol import (
    Flags,
    Moment,
    Values,
    check_actions,
    check_places,
    endings,
)
from econ_agents.environments.questions import Asked, asking, count_questions
from econ_agents.environments.space import (
    ActionBoxes,
    EnvironmentMisfit,
    FloatArray,
    action_boxes_of,
    agents_of,
    describe,
    read_space,
)


class BatchedParallelEnv(Protocol):
    """PettingZoo's parallel API with a leading batch axis: B episodes, stepped together.

    A library offers such environments through a factory with the parameter ``num_questions`` (B).
    Spaces describe one row. An episode that ended stays as it is until it is reset; nothing is
    reset automatically.
    """

    num_questions: int
    possible_agents: Any
    metadata: Any
    state_space: Space[Any]

    @property
    def active(self) -> NDArray[np.bool_]:
        """Mask of the running episodes, shape (B,)."""

    def observation_space(self, agent: Any) -> Space[Any]:
        """Space of one row of an agent's observations."""

    def action_space(self, agent: Any) -> Space[Any]:
        """Space of one row of an agent's actions."""

    def reset(
        self,
        seed: Sequence[int | None],
        options: Mapping[str, Any] | None = None,
        *,
        mask: ArrayLike,
    ) -> tuple[Mapping[Any, ArrayLike], Mapping[Any, Mapping[str, ArrayLike]]]:
        """Start the episodes in ``mask`` (B booleans), with their entries of ``seed`` (B).

        Returns:
            Two mappings by agent: observations (B, *shape), and infos, numbers (B,) whose keys are
            the same for all agents.
        """

    def step(
        self, actions: Mapping[Any, Any]
    ) -> tuple[
        Mapping[Any, ArrayLike],
        Mapping[Any, ArrayLike],
        Mapping[Any, ArrayLike],
        Mapping[Any, ArrayLike],
        Mapping[Any, Mapping[str, ArrayLike]],
    ]:
        """Take one step of every running episode.

        Args:
            actions: actions by agent, shape (B, *shape); rows of episodes that are not running are
                not read.

        Returns:
            Five mappings by agent: observations (B, *shape), rewards (B,), terminations and
            truncations (B,), and infos as after a reset. In rows of episodes that are not running,
            observations stay as they were, rewards and infos are zero, and termination or
            truncation may be repeated.
        """

    def state(self) -> ArrayLike:
        """States, shape (B, *shape of the state), also after the end of an episode."""

    def close(self) -> None:
        """Release the environment's resources."""


class NativeBatch:
    """A :class:`BatchedParallelEnv` as :class:`~econ_agents.environments.Teams`.

    Raises:
        EnvironmentMisfit: the environment lacks a part of the interface, or its spaces do not
            fit; see :func:`~econ_agents.environments.space.read_space`.
    """

    def __init__(self, env: BatchedParallelEnv) -> None:
        parts = "num_questions metadata state_space active reset step state close".split()
        lacking = [part for part in parts if not hasattr(env, part)]
        if lacking:
            raise EnvironmentMisfit(
                f"{describe(env)} takes num_questions, so it is played as many episodes side by "
                f"side, but it has no {', '.join(lacking)}: see BatchedParallelEnv in "
                "econ_agents.environments.native for what such an environment offers"
            )
        self.space = read_space(env)
        self.num_places = env.num_questions
        self._env = env
        self._agents = agents_of(env)
        self._boxes = ActionBoxes(list(action_boxes_of(env).values()))

    def num_questions(self, wanted: int) -> int | None:
        """Count the questions; see :class:`~econ_agents.environments.Teams`."""
        return count_questions(self._env, wanted)

    def reset(
        self,
        seeds: Mapping[int, int],
        options: Mapping[str, Any] | None = None,
        questions: Mapping[int, Asked] | None = None,
    ) -> Moment:
        """Start episodes; see :class:`~econ_agents.environments.Teams`."""
        check_places(seeds, self.num_places)
        places = range(self.num_places)
        if questions is not None:
            # Places that are not reset need an entry, too; it is not read.
            filler = next(iter(questions.values()), 0)
            options = asking(options, [questions.get(place, filler) for place in places])
        observations, infos = self._env.reset(
            seed=[seeds.get(place) for place in places],
            options=options,
            mask=np.array([place in seeds for place in places], dtype=np.bool_),
        )
        nobody = np.zeros(self.num_places, dtype=np.bool_)
        rewards = np.zeros((self.num_places, len(self._agents)))
        return self._moment(observations, rewards, nobody, nobody.copy(), infos)

    def step(self, actions: NDArray[np.floating[Any]]) -> Moment:
        """Step all running episodes; see :class:`~econ_agents.environments.Teams`."""
        active = np.array(self._env.active, dtype=np.bool_)
        if not active.any():
            raise ResetNeeded("no episode is running: call reset() before step()")
        points = self._boxes.place(check_actions(actions, active, self.space))
        chosen = dict(zip(self._agents, points.swapaxes(0, 1), strict=True))
        seen, paid, ended, cut, infos = self._env.step(chosen)
        running = active[:, np.newaxis]
        terminated, truncated = endings(
            self._column(ended, np.bool_) & running,
            self._column(cut, np.bool_) & running,
            self.space,
        )
        return self._moment(seen, self._column(paid, np.float64), terminated, truncated, infos)

    def trace(self, place: int) -> dict[str, Any] | None:
        """Transcript of a place; see :class:`~econ_agents.environments.Teams`."""
        env: Any = self._env
        if not hasattr(env, "transcript"):
            return None
        trace: dict[str, Any] = env.transcript(place).to_json()
        return trace

    def text(self, place: int, *, colour: bool = False) -> str | None:
        """Episode of a place in words; see :class:`~econ_agents.environments.Teams`."""
        tell = getattr(self._env, "episode_text", None)
        return None if tell is None else str(tell(place, colour=colour))

    @property
    def status(self) -> str:
        """Cause of the wait, in words; see :class:`~econ_agents.environments.Teams`."""
        return str(getattr(self._env, "status", ""))

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _column(self, by_agent: Mapping[Any, ArrayLike], kind: type[np.generic]) -> NDArray[Any]:
        """Stack the agents' arrays as the second axis: shape (B, n, ...)."""
        return np.stack([np.asarray(by_agent[a], dtype=kind) for a in self._agents], axis=1)

    def _moment(
        self,
        observations: Mapping[Any, ArrayLike],
        rewards: Values,
        terminated: Flags,
        truncated: Flags,
        infos: Mapping[Any, Mapping[str, ArrayLike]],
    ) -> Moment:
        shape = self.num_places, len(self._agents), self.space.observation_size
        state: FloatArray = np.array(self._env.state(), dtype=np.float32)
        return Moment(
            observations=self._column(observations, np.float32).reshape(shape),
            state=state.reshape(self.num_places, self.space.state_size),
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            active=np.array(self._env.active, dtype=np.bool_),
            infos={
                key: self._column({agent: infos[agent][key] for agent in self._agents}, np.float64)
                for key in infos[self._agents[0]]
            },
        )
