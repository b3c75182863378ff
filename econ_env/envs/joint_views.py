"""Five views of the game for a single controller: its actions and its observations.

A view is a format of actions and a format of observations. Both work for one environment and, with
a leading axis, for a batch of B: ``lead`` below is () or (B,). n is the number of executors.

==============  ===================================  =========================================
view            action                               observation
==============  ===================================  =========================================
flat            ``Box(-1, 1, (2n,))``                ``Box(-1, 1, (state size,))``: the state
matrix          ``Box(-1, 1, (n, 2))``               ``Box(-1, 1, (n, size))``: one row each
tuple           ``Tuple`` of n ``Box(-1, 1, (2,))``  ``Tuple`` of n ``Box(-1, 1, (size,))``
discrete        ``Tuple`` of n ``Discrete(bins²)``   as tuple
multi_discrete  ``MultiDiscrete`` of n ``bins²``     as flat
==============  ===================================  =========================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from econ_env.envs.discretisation import DEFAULT_BINS, Levels
from econ_env.envs.infos import AGENT_KEYS, TEAM_KEYS
from econ_env.envs.spaces import ACTION_SIZE, FloatArray, Layout, layout_size, unit_box

Points: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]


class ActionFormat(Protocol):
    """Format in which a controller gives the actions of all executors."""

    @property
    def space(self) -> spaces.Space[Any]:
        """The space of one action, a new object."""

    def points(self, actions: Any, lead: Shape) -> Points:
        """The actions in the form that the game takes, shape (n, *lead, 2).

        Raises:
            ValueError: they are not numbers, have a wrong shape, or leave a discrete range.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class FlatActions:
    """All actions in one vector: two values of executor 0, two of executor 1, and so on."""

    n_agents: int

    @property
    def space(self) -> spaces.Space[Any]:
        """``Box(-1, 1, (2n,), float32)``."""
        return unit_box(ACTION_SIZE * self.n_agents)

    def points(self, actions: Any, lead: Shape) -> Points:
        """See :class:`ActionFormat`."""
        points = _numbers(actions, (*lead, ACTION_SIZE * self.n_agents), "the joint action")
        # (*lead, n, 2) becomes (n, *lead, 2).
        return np.moveaxis(points.reshape(*lead, self.n_agents, ACTION_SIZE), -2, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixActions:
    """One row of two values for every executor."""

    n_agents: int

    @property
    def space(self) -> spaces.Space[Any]:
        """``Box(-1, 1, (n, 2), float32)``."""
        return spaces.Box(-1.0, 1.0, (self.n_agents, ACTION_SIZE), np.float32)

    def points(self, actions: Any, lead: Shape) -> Points:
        """See :class:`ActionFormat`."""
        points = _numbers(actions, (*lead, self.n_agents, ACTION_SIZE), "the joint action")
        return np.moveaxis(points, -2, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class TupleActions:
    """One array of two values for every executor."""

    n_agents: int

    @property
    def space(self) -> spaces.Space[Any]:
        """``Tuple`` of n ``Box(-1, 1, (2,), float32)``."""
        return spaces.Tuple([unit_box(ACTION_SIZE) for _ in range(self.n_agents)])

    def points(self, actions: Any, lead: Shape) -> Points:
        """See :class:`ActionFormat`."""
        parts = _parts(actions, self.n_agents)
        shape = (*lead, ACTION_SIZE)
        return np.stack(
            [_numbers(part, shape, f"the action of executor_{i}") for i, part in enumerate(parts)]
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscreteActions:
    """One number for every executor, which stands for a point of a grid."""

    n_agents: int
    levels: Levels

    @property
    def space(self) -> spaces.Space[Any]:
        """``Tuple`` of n ``Discrete(bins²)``."""
        return spaces.Tuple([spaces.Discrete(self.levels.count) for _ in range(self.n_agents)])

    def points(self, actions: Any, lead: Shape) -> Points:
        """See :class:`ActionFormat`."""
        return np.stack(
            [
                self.levels.points(part, lead, f"the action of executor_{i}")
                for i, part in enumerate(_parts(actions, self.n_agents))
            ]
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class MultiDiscreteActions:
    """A vector with one number for every executor, which stands for a point of a grid."""

    n_agents: int
    levels: Levels

    @property
    def space(self) -> spaces.Space[Any]:
        """``MultiDiscrete`` of n times ``bins²``."""
        return spaces.MultiDiscrete([self.levels.count] * self.n_agents)

    def points(self, actions: Any, lead: Shape) -> Points:
        """See :class:`ActionFormat`."""
        points = self.levels.points(actions, (*lead, self.n_agents), "the joint action")
        return np.moveaxis(points, -2, 0)


def _numbers(values: ArrayLike, shape: Shape, what: str) -> Points:
    """``values`` as an array; ``ValueError`` unless they are numbers of the given shape."""
    try:
        points = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must be numbers of shape {shape}, got {values!r}") from error
    if points.shape != shape:
        raise ValueError(
            f"{what} must have shape {shape}: temperature and repetition penalty of an executor, "
            f"in [-1, 1]; got shape {points.shape}"
        )
    return points


def _parts(actions: Any, n_agents: int) -> list[Any]:
    """The actions of the executors; ``ValueError`` unless there is one for each."""
    try:
        parts = list(actions)
    except TypeError:
        parts = []
    if len(parts) != n_agents:
        raise ValueError(
            f"the joint action must have {n_agents} parts, one for each executor; got {actions!r}"
        )
    return parts


ViewName = Literal["flat", "matrix", "tuple", "discrete", "multi_discrete"]
VIEW_NAMES: tuple[ViewName, ...] = get_args(ViewName)
_GRIDS = ("discrete", "multi_discrete")


class ObservationFormat(Protocol):
    """Format in which a controller observes the game."""

    @property
    def space(self) -> spaces.Space[Any]:
        """The space of one observation, a new object."""

    def show(self, states: FloatArray, observations: FloatArray) -> Any:
        """The observation made from states (*lead, size) and observations (n, *lead, size)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StateObservation:
    """The whole state as one vector."""

    size: int
    """Number of values of the state."""

    @property
    def space(self) -> spaces.Space[Any]:
        """``Box(-1, 1, (size,), float32)``."""
        return unit_box(self.size)

    def show(self, states: FloatArray, observations: FloatArray) -> FloatArray:
        """See :class:`ObservationFormat`."""
        return states


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservationRows:
    """The executors' observations as the rows of a matrix."""

    n_agents: int
    size: int
    """Number of values of one executor's observation."""

    @property
    def space(self) -> spaces.Space[Any]:
        """``Box(-1, 1, (n, size), float32)``."""
        return spaces.Box(-1.0, 1.0, (self.n_agents, self.size), np.float32)

    def show(self, states: FloatArray, observations: FloatArray) -> FloatArray:
        """See :class:`ObservationFormat`."""
        return np.ascontiguousarray(np.moveaxis(observations, 0, -2))


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservationTuple:
    """The executors' observations as a tuple of separate arrays."""

    n_agents: int
    size: int
    """Number of values of one executor's observation."""

    @property
    def space(self) -> spaces.Space[Any]:
        """``Tuple`` of n ``Box(-1, 1, (size,), float32)``."""
        return spaces.Tuple([unit_box(self.size) for _ in range(self.n_agents)])

    def show(self, states: FloatArray, observations: FloatArray) -> tuple[FloatArray, ...]:
        """See :class:`ObservationFormat`."""
        return tuple(observations)


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A format of actions and a format of observations."""

    actions: ActionFormat
    observations: ObservationFormat


def make_view(
    name: ViewName,
    *,
    n_agents: int,
    state_layout: Layout,
    observation_layout: Layout,
    bins: int | None = None,
) -> View:
    """The view with the given name.

    Args:
        name: one of ``VIEW_NAMES``.
        n_agents: number of executors.
        state_layout: layout of the state.
        observation_layout: layout of one executor's observation.
        bins: levels of each coordinate in the views ``"discrete"`` and ``"multi_discrete"``; None:
            ``DEFAULT_BINS``. An error with any other view.

    Raises:
        ValueError: the name is unknown, ``bins`` is not a whole number >= 2, or ``bins`` is given
            for a view without them.
    """
    if name not in VIEW_NAMES:
        raise ValueError(f"view must be one of {', '.join(map(repr, VIEW_NAMES))}, got {name!r}")
    if bins is not None and name not in _GRIDS:
        raise ValueError(
            f'bins={bins!r} is for view="discrete" and "multi_discrete" only, the view is {name!r}'
        )
    levels = Levels(bins=DEFAULT_BINS if bins is None else bins)
    size = layout_size(observation_layout)
    each = ObservationTuple(n_agents=n_agents, size=size)
    state = StateObservation(size=layout_size(state_layout))
    views: dict[ViewName, View] = {
        "flat": View(actions=FlatActions(n_agents=n_agents), observations=state),
        "matrix": View(
            actions=MatrixActions(n_agents=n_agents),
            observations=ObservationRows(n_agents=n_agents, size=size),
        ),
        "tuple": View(actions=TupleActions(n_agents=n_agents), observations=each),
        "discrete": View(
            actions=DiscreteActions(n_agents=n_agents, levels=levels), observations=each
        ),
        "multi_discrete": View(
            actions=MultiDiscreteActions(n_agents=n_agents, levels=levels), observations=state
        ),
    }
    return views[name]


def joint_info(
    infos: Mapping[str, Mapping[str, Any]], rewards: Mapping[str, Any]
) -> dict[str, Any]:
    """The infos of a single controller: those of all agents under constant keys.

    Keys of the team keep their value, a number or an array of shape (B,). Keys of agents, and
    ``"rewards"``, become arrays of shape (n,) or (B, n), in the order of the agents.

    Args:
        infos: infos of every agent, numbers or arrays of shape (B,).
        rewards: reward of every agent, numbers or arrays of shape (B,).
    """
    each = list(infos.values())
    return {
        **{key: each[0][key] for key in TEAM_KEYS},
        **{key: np.stack([info[key] for info in each], axis=-1) for key in AGENT_KEYS},
        "rewards": np.stack(list(rewards.values()), axis=-1),
    }
