"""Copies of a PettingZoo parallel environment, stepped one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

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
    action_boxes_of,
    agents_of,
    describe,
    has_state,
    read_space,
)


class SyncBatch:
    """B copies of an environment as :class:`~econ_agents.environments.Teams`, in one process.

    Observations and states of any shape are flattened to float32. If the environment has no
    ``state_space``, its state is the concatenation of the agents' observations.

    Args:
        envs: B environments that one factory made with the same arguments.

    Raises:
        EnvironmentMisfit: an environment does not fit; see
            :func:`~econ_agents.environments.space.read_space`.
    """

    def __init__(self, envs: Sequence[ParallelEnv[Any, Any, Any]]) -> None:
        if not envs:
            raise ValueError("a batch needs at least one environment")
        self.space = read_space(envs[0])
        self.num_places = len(envs)
        if any(read_space(env) != self.space for env in envs[1:]):
            raise EnvironmentMisfit(
                f"{describe(envs[0])} has other agents or spaces each time it is made; a learner "
                "needs them fixed, by an argument of the factory for example"
            )
        self._envs = list(envs)
        self._agents = agents_of(envs[0])
        self._boxes = ActionBoxes(list(action_boxes_of(envs[0]).values()))
        self._has_state = has_state(envs[0])
        n = len(self._agents)
        self._observations = np.zeros((len(envs), n, self.space.observation_size), np.float32)
        self._state = np.zeros((len(envs), self.space.state_size), np.float32)
        self._active: Flags = np.zeros(len(envs), dtype=np.bool_)

    def num_questions(self, wanted: int) -> int | None:
        """Count the questions; see :class:`~econ_agents.environments.Teams`."""
        return count_questions(self._envs[0].unwrapped, wanted)

    def reset(
        self,
        seeds: Mapping[int, int],
        options: Mapping[str, Any] | None = None,
        questions: Mapping[int, Asked] | None = None,
    ) -> Moment:
        """Start episodes; see :class:`~econ_agents.environments.Teams`."""
        check_places(seeds, self.num_places)
        infos = {}
        for place, seed in sorted(seeds.items()):
            own = None if options is None else dict(options)
            if questions is not None:
                own = asking(options, questions[place])
            observations, infos[place] = self._envs[place].reset(seed=seed, options=own)
            self._observe(place, observations)
            self._active[place] = True
        nobody = np.zeros(self.num_places, dtype=np.bool_)
        rewards = np.zeros(self._shape)
        return self._moment(rewards, nobody, nobody.copy(), infos)

    def step(self, actions: NDArray[np.floating[Any]]) -> Moment:
        """Step all running episodes; see :class:`~econ_agents.environments.Teams`."""
        if not self._active.any():
            raise ResetNeeded("no episode is running: call reset() before step()")
        points = self._boxes.place(check_actions(actions, self._active, self.space))
        rewards = np.zeros(self._shape)
        terminations: Flags = np.zeros(self._shape, dtype=np.bool_)
        truncations: Flags = np.zeros(self._shape, dtype=np.bool_)
        infos = {}
        for place in np.flatnonzero(self._active).tolist():
            chosen = dict(zip(self._agents, points[place], strict=True))
            seen, paid, ended, cut, infos[place] = self._envs[place].step(chosen)
            self._observe(place, seen)
            rewards[place] = self._of_all("reward", paid)
            terminations[place] = self._of_all("termination", ended)
            truncations[place] = self._of_all("truncation", cut)
        terminated, truncated = endings(terminations, truncations, self.space)
        self._active &= ~(terminated | truncated)
        return self._moment(rewards, terminated, truncated, infos)

    def trace(self, place: int) -> dict[str, Any] | None:
        """Transcript of a place; see :class:`~econ_agents.environments.Teams`."""
        env: Any = self._envs[place].unwrapped
        if not hasattr(env, "transcript"):
            return None
        trace: dict[str, Any] = env.transcript.to_json()
        return trace

    def text(self, place: int, *, colour: bool = False) -> str | None:
        """Episode of a place in words; see :class:`~econ_agents.environments.Teams`."""
        tell = getattr(self._envs[place].unwrapped, "episode_text", None)
        return None if tell is None else str(tell(colour=colour))

    @property
    def status(self) -> str:
        """Cause of the wait, in words; see :class:`~econ_agents.environments.Teams`."""
        said = (str(getattr(env.unwrapped, "status", "")) for env in self._envs)
        return next(filter(None, said), "")

    def close(self) -> None:
        """Close all environments."""
        for env in self._envs:
            env.close()  # type: ignore[no-untyped-call]

    @property
    def _shape(self) -> tuple[int, int]:
        return self.num_places, len(self._agents)

    def _observe(self, place: int, observations: Mapping[Any, Any]) -> None:
        """Store the observations of a place's agents, and its state."""
        for index, seen in enumerate(self._of_all("observation", observations)):
            self._observations[place, index] = _flat(
                seen, self.space.observation_size, f"the observation of {self._agents[index]!r}"
            )
        if self._has_state:
            state = self._envs[place].state()
            self._state[place] = _flat(state, self.space.state_size, "the state")
        else:
            self._state[place] = self._observations[place].reshape(-1)

    def _of_all(self, what: str, by_agent: Mapping[Any, Any]) -> list[Any]:
        """List the values of all agents, in their order, and refuse a missing one."""
        missing = [agent for agent in self._agents if agent not in by_agent]
        if missing:
            raise EnvironmentMisfit(
                f"{describe(self._envs[0])} gave no {what} for {missing[0]!r}: every agent must "
                "stay from the reset to the end of the episode, its last step included; wrap the "
                "environment, with supersuit.black_death_v3 for example"
            )
        return [by_agent[agent] for agent in self._agents]

    def _moment(
        self,
        rewards: Values,
        terminated: Flags,
        truncated: Flags,
        infos: Mapping[int, Mapping[Any, Mapping[str, Any]]],
    ) -> Moment:
        return Moment(
            observations=self._observations.copy(),
            state=self._state.copy(),
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            active=self._active.copy(),
            infos=self._numbers(infos),
        )

    def _numbers(self, infos: Mapping[int, Mapping[Any, Mapping[str, Any]]]) -> dict[str, Values]:
        """Gather the infos that are numbers for all agents of a place, one array for every key."""
        gathered: dict[str, Values] = {}
        for place, by_agent in infos.items():
            of_agents = [by_agent.get(agent, {}) for agent in self._agents]
            for key in of_agents[0]:
                values = [own.get(key) for own in of_agents]
                if all(isinstance(value, _NUMBER) for value in values):
                    gathered.setdefault(key, np.zeros(self._shape))[place] = values
        return gathered


_NUMBER = (bool, int, float, np.bool_, np.integer, np.floating)


def _flat(value: Any, size: int, what: str) -> NDArray[np.float32]:
    array = np.asarray(value, dtype=np.float32).reshape(-1)
    if array.size != size:
        raise EnvironmentMisfit(
            f"{what} has {array.size} numbers, but its space has {size}: correct the "
            "environment's spaces"
        )
    return array
