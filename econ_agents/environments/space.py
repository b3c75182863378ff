"""Sizes of a team's observations and actions, read from an environment's spaces and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from gymnasium.spaces import Box, Space
from numpy.typing import NDArray

from econ_agents.errors import EconAgentsError

FloatArray: TypeAlias = NDArray[np.float32]

LAYOUT_KEY = "observation_layout"
"""Key in ``metadata`` for the parts of an observation: name -> [start, stop]."""
ACTION_PARTS_KEY = "action_parts"
"""Key in ``metadata`` for the coordinates of an action: a list of {name, low, high}."""

_PADDING = {
    "observation": "supersuit.pad_observations_v0",
    "action": "supersuit.pad_action_space_v0",
}


class EnvironmentMisfit(EconAgentsError):
    """An environment, or an argument of it, does not fit the learner; the message says why."""


class HasSpaces(Protocol):
    """Attributes of an environment that are read before it is played."""

    possible_agents: Any
    metadata: Any

    def observation_space(self, agent: Any) -> Space[Any]:
        """Space of one agent's observations."""

    def action_space(self, agent: Any) -> Space[Any]:
        """Space of one agent's actions."""


@dataclass(frozen=True, kw_only=True)
class ActionPart:
    """One coordinate of an action, with its range in the environment's own units."""

    name: str
    low: float
    """Value of the coordinate -1."""
    high: float
    """Value of the coordinate 1."""

    def value_of(self, coordinate: float) -> float:
        """Value, in the environment's own units, of a coordinate in [-1, 1]."""
        return self.low + (coordinate + 1) / 2 * (self.high - self.low)


@dataclass(frozen=True, kw_only=True)
class TeamSpace:
    """Sizes of observations, actions and states of a team of n agents, equal for all agents."""

    agents: tuple[str, ...]
    """Names of the agents, in the order of every axis of agents."""
    observation_size: int
    """Number of values in one agent's observation, flattened."""
    action_size: int
    """Number of values in one agent's action, flattened."""
    state_size: int
    """Number of values in ``state()`` if the environment has it, else n · observation_size."""
    layout: Mapping[str, slice] | None
    """Parts of an observation by name; None if the environment does not name them."""
    action_parts: tuple[ActionPart, ...] | None = None
    """Names and ranges of an action's coordinates; None if the environment does not name them."""


class ActionBoxes:
    """Action boxes of n agents, and the affine map from [-1, 1] onto them."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        self._shape = boxes[0].shape
        self._dtype = boxes[0].dtype
        self._low = np.stack([box.low.reshape(-1) for box in boxes])
        self._high = np.stack([box.high.reshape(-1) for box in boxes])
        low, high = self._low.astype(np.float64), self._high.astype(np.float64)
        # With centre and half-width, a box that already is [-1, 1] keeps every action exactly.
        self._centre, self._half = low / 2 + high / 2, high / 2 - low / 2

    def place(self, actions: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Map actions to the units of the environment, shape (B, n, *shape of one action).

        Args:
            actions: shape (B, n, action_size), in [-1, 1].
        """
        points = (self._centre + self._half * actions).astype(self._dtype)
        # Rounding may leave the box by the last bit.
        points = np.clip(points, self._low, self._high)
        return points.reshape(*points.shape[:2], *self._shape)


def read_space(env: HasSpaces) -> TeamSpace:
    """Read the sizes of an environment's team.

    Raises:
        EnvironmentMisfit: the agents are not known beforehand, their spaces differ in shape, or a
            space is not a Box.
    """
    agents = agents_of(env)
    observations = {str(agent): env.observation_space(agent) for agent in agents}
    actions = action_boxes_of(env)
    observation_size = _common_size("observation", observations)
    metadata = getattr(env, "metadata", {})
    return TeamSpace(
        agents=tuple(map(str, agents)),
        observation_size=observation_size,
        action_size=_common_size("action", actions),
        state_size=_state_size(env) if has_state(env) else len(agents) * observation_size,
        layout=_read_layout(metadata, observation_size),
        action_parts=_read_action_parts(metadata, _common_size("action", actions)),
    )


def agents_of(env: HasSpaces) -> list[Any]:
    """Agents in the order of ``possible_agents``, with the environment's own names."""
    if not hasattr(env, "possible_agents") or not env.possible_agents:
        raise EnvironmentMisfit(
            f"{describe(env)} has no possible_agents: the learner needs a PettingZoo parallel "
            "environment whose agents are known before the first reset"
        )
    return list(env.possible_agents)


def action_boxes_of(env: HasSpaces) -> dict[str, Box]:
    """Action spaces by the agents' names, checked to be bounded boxes of real numbers."""
    boxes = {}
    for agent in agents_of(env):
        box = _require_box(f"the action space of {agent!r}", env.action_space(agent))
        if not np.issubdtype(box.dtype, np.floating):
            raise EnvironmentMisfit(
                f"the action space of {agent!r} is {box}, of whole numbers: the learner chooses "
                "real numbers; use a continuous version of the environment (mpe2 has "
                "continuous_actions=True), or a wrapper that rounds"
            )
        if not box.is_bounded():
            raise EnvironmentMisfit(
                f"the action space of {agent!r} is {box}, without finite bounds: the learner's "
                "actions in [-1, 1] cannot be mapped onto it; wrap the environment so that every "
                "action has a lower and an upper bound"
            )
        boxes[str(agent)] = box
    return boxes


def has_state(env: Any) -> bool:
    """Return True if the environment describes its ``state()``, which PettingZoo leaves open."""
    return hasattr(env, "state_space") and env.state_space is not None


def describe(env: object) -> str:
    """Module and class of an environment, for messages."""
    return f"the environment {type(env).__module__}.{type(env).__qualname__}"


def _state_size(env: Any) -> int:
    return int(np.prod(_require_box("the state space", env.state_space).shape))


def _require_box(what: str, space: Space[Any]) -> Box:
    if not isinstance(space, Box):
        raise EnvironmentMisfit(
            f"{what} is {space}: the learner knows Box spaces only; use a continuous version of "
            "the environment (mpe2 has continuous_actions=True), or flatten it with a wrapper"
        )
    return space


def _common_size(what: str, spaces: Mapping[str, Space[Any]]) -> int:
    """Size of the agents' spaces, which must be the same for all of them."""
    shapes = {
        agent: _require_box(f"the {what} space of {agent!r}", space).shape
        for agent, space in spaces.items()
    }
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{agent}: {shape}" for agent, shape in shapes.items())
        raise EnvironmentMisfit(
            f"the agents' {what} spaces have different shapes ({listed}), but all networks are "
            f"evaluated as one stack; pad them, with {_PADDING[what]} for example"
        )
    return int(np.prod(next(iter(shapes.values()))))


def _read_action_parts(metadata: Any, size: int) -> tuple[ActionPart, ...] | None:
    """Read the names and ranges of an action's coordinates; None if there are none."""
    if ACTION_PARTS_KEY not in metadata:
        return None
    parts = tuple(
        ActionPart(name=str(part["name"]), low=float(part["low"]), high=float(part["high"]))
        for part in metadata[ACTION_PARTS_KEY]
    )
    if len(parts) != size:
        raise EnvironmentMisfit(
            f"metadata[{ACTION_PARTS_KEY!r}] names {len(parts)} coordinates of an action, which "
            f"has {size}; correct the environment, or take the entry out"
        )
    return parts


def _read_layout(metadata: Any, size: int) -> dict[str, slice] | None:
    """Read the named parts of an observation; None if there are none."""
    if LAYOUT_KEY not in metadata:
        return None
    layout = {}
    for name, bounds in metadata[LAYOUT_KEY].items():
        start, stop = map(int, bounds)
        if not 0 <= start < stop <= size:
            raise EnvironmentMisfit(
                f"metadata[{LAYOUT_KEY!r}] says that {name!r} is [{start}, {stop}] of an "
                f"observation, which has {size} numbers; correct the environment, or take the "
                "entry out"
            )
        layout[str(name)] = slice(start, stop)
    return layout
