"""A PettingZoo environment that does what a test tells it, mistakes included."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space
from pettingzoo import ParallelEnv

PAIR = ("left", "right")


def unit(*shape: int, dtype: Any = np.float32) -> Space[Any]:
    return Box(-1, 1, shape, dtype)


class Counter(ParallelEnv[str, Any, Any]):
    """Agents see seed, steps played and their own place; the step number ``length`` is the last.

    Every other argument is something that an environment may do differently.
    """

    metadata: dict[str, Any] = {"name": "counter_v0"}  # noqa: RUF012 - as PettingZoo has it

    def __init__(
        self,
        agents: Sequence[str] = PAIR,
        *,
        length: int = 3,
        sees: Mapping[str, Space[Any]] | None = None,
        does: Mapping[str, Space[Any]] | None = None,
        metadata: Mapping[str, Any] | None = None,
        infos: Callable[[int, str], Mapping[str, Any]] = lambda step, agent: {},
        deaths: Mapping[str, int] | None = None,
        truncates: Sequence[str] = (),
        hides_the_end: bool = False,
        reward: float = 1.0,
    ) -> None:
        self.possible_agents = list(agents)
        self.agents = []
        self.observation_spaces = dict(sees or dict.fromkeys(agents, unit(3)))
        self.action_spaces = dict(does or dict.fromkeys(agents, unit(2)))
        self.metadata = {**type(self).metadata, **(metadata or {})}
        self.length = length
        self.infos = infos
        self.ends = {**dict.fromkeys(agents, length), **(deaths or {})}
        self.truncates = truncates
        self.hides_the_end = hides_the_end
        self.reward = reward
        self.seeds: list[int | None] = []
        self.options: list[Any] = []
        self.actions: list[dict[str, Any]] = []
        self.closed = False

    def observation_space(self, agent: str) -> Space[Any]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.seeds.append(seed)
        self.options.append(options)
        self.agents = list(self.possible_agents)
        self.played = 0
        return self._seen(), {agent: self.infos(0, agent) for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> Any:
        self.actions.append(actions)
        self.played += 1
        playing = self.agents
        over = {agent: self.played >= self.ends[agent] for agent in playing}
        seen = {} if self.hides_the_end and all(over.values()) else self._seen()
        self.agents = [agent for agent in playing if not over[agent]]
        return (
            seen,
            dict.fromkeys(playing, self.reward),
            {agent: over[agent] and agent not in self.truncates for agent in playing},
            {agent: over[agent] and agent in self.truncates for agent in playing},
            {agent: self.infos(self.played, agent) for agent in playing},
        )

    def close(self) -> None:
        self.closed = True

    def _seen(self) -> dict[str, Any]:
        return {
            agent: np.resize(
                np.array([self.seeds[-1] or 0, self.played, index], np.float32),
                self.observation_spaces[agent].shape or (),
            )
            for index, agent in enumerate(self.possible_agents)
            if agent in self.agents
        }


class CounterWithState(Counter):
    """A counter whose ``state()`` is a table."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.state_space = unit(2, 2)

    def state(self) -> Any:
        return np.array([[self.seeds[-1] or 0, self.played], [self.length, 7]], np.float64)


def make_counter(length: int = 3, reward: float = 1.0) -> Counter:
    if length < 1:
        raise ValueError(f"length must be at least 1, not {length}")
    return Counter(length=length, reward=reward)


def make_any_counter(**settings: Any) -> Counter:
    return Counter(**settings)


def make_with_a_mistake_inside(**settings: Any) -> Counter:
    return Counter(colour="red")  # type: ignore[call-arg]


def make_half_batched(num_questions: int) -> Counter:
    return Counter()


NOT_A_FACTORY = 3
