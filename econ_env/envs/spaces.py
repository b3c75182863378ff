"""Spaces and layouts of observations, state and actions, and the arrays they are built from.

All arrays have a leading axis of B questions, so the same few array operations serve one
environment and a thousand. D is the embedder's dimension, n the number of executors.

    observation of executor i:  [question φ (D) | strategy φ (D) | own response φ (D) |
                                 commitment φ (D) | own last action (2) | round | decision]
    state:                      [question φ (D) | strategy φ (D) | commitment φ (D) | round |
                                 decision | response φ of every executor (n·D) |
                                 action of every executor (n·2)]

``round`` is the share of ``bne_rounds`` played in the decision at hand (or just closed, in the
last observation), ``decision`` the share of ``max_rounds`` closed. Parts that have not happened
yet in the episode are zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from gymnasium.spaces import Box, Space
from numpy.typing import ArrayLike, NDArray

from econ_env.sampling_action import SamplingBounds

FloatArray: TypeAlias = NDArray[np.float32]
Layout: TypeAlias = dict[str, slice]

ACTION_SIZE = 2


def observation_layout(dim: int) -> Layout:
    """Slice of every part of an observation, by name; ``dim`` is D."""
    return _layout(
        ("question", dim),
        ("strategy", dim),
        ("response", dim),
        ("commitment", dim),
        ("action", ACTION_SIZE),
        ("round", 1),
        ("decision", 1),
    )


def state_layout(dim: int, n_agents: int) -> Layout:
    """Slice of every part of the state, by name; ``response_i`` and ``action_i`` per agent."""
    return _layout(
        ("question", dim),
        ("strategy", dim),
        ("commitment", dim),
        ("round", 1),
        ("decision", 1),
        *((f"response_{i}", dim) for i in range(n_agents)),
        *((f"action_{i}", ACTION_SIZE) for i in range(n_agents)),
    )


def _layout(*parts: tuple[str, int]) -> Layout:
    layout: Layout = {}
    start = 0
    for name, size in parts:
        layout[name] = slice(start, start + size)
        start += size
    return layout


def layout_size(layout: Layout) -> int:
    """Number of values that a layout covers."""
    return int(max(part.stop for part in layout.values()))


def layout_as_json(layout: Layout) -> dict[str, list[int]]:
    """The layout as ``name -> [start, stop]``, which JSON can hold."""
    return {name: [part.start, part.stop] for name, part in layout.items()}


def action_parts_as_json(bounds: SamplingBounds) -> list[dict[str, Any]]:
    """Meaning of an action's coordinates: name, and the values of -1 (low) and 1 (high)."""
    return [
        {"name": "temperature", "low": bounds.temperature_min, "high": bounds.temperature_max},
        {
            "name": "repetition_penalty",
            "low": bounds.repetition_penalty_min,
            "high": bounds.repetition_penalty_max,
        },
    ]


def unit_box(size: int) -> Space[Any]:
    """A ``Box`` of ``size`` float32 values in [-1, 1]."""
    return Box(low=-1.0, high=1.0, shape=(size,), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spaces:
    """The spaces of one question and the names of their parts."""

    observations: dict[str, Space[Any]]
    """Spaces by agent: equal but separate objects, so that agents sample independently."""
    actions: dict[str, Space[Any]]
    state: Space[Any]
    observation_layout: Layout
    state_layout: Layout

    @classmethod
    def of(cls, agents: Sequence[str], dim: int) -> Spaces:
        """The spaces for these agents and embeddings of ``dim`` values."""
        own = observation_layout(dim)
        shared = state_layout(dim, len(agents))
        return cls(
            observations={agent: unit_box(layout_size(own)) for agent in agents},
            actions={agent: unit_box(ACTION_SIZE) for agent in agents},
            state=unit_box(layout_size(shared)),
            observation_layout=own,
            state_layout=shared,
        )


def stack_actions(
    actions: Mapping[str, ArrayLike], agents: Sequence[str], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """The actions of all agents as one array of shape (n, *shape), in the order of ``agents``.

    Raises:
        ValueError: an agent is missing or unknown, or an action is not a numeric array of
            ``shape``.
    """
    missing = [agent for agent in agents if agent not in actions]
    unknown = [str(agent) for agent in actions if agent not in agents]
    if missing or unknown:
        raise ValueError(
            f"step() needs one action for each of {', '.join(agents)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    stacked = np.empty((len(agents), *shape))
    for index, agent in enumerate(agents):
        try:
            points = np.asarray(actions[agent], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"the action of {agent} must be numbers of shape {shape}, got {actions[agent]!r}"
            ) from error
        if points.shape != shape:
            raise ValueError(
                f"the action of {agent} must have shape {shape}: temperature and repetition "
                f"penalty in [-1, 1]; got shape {points.shape}"
            )
        stacked[index] = points
    return stacked


def check_finite(
    points: NDArray[np.float64], agents: Sequence[str], questions: Sequence[int]
) -> None:
    """Raise ``ValueError`` if an action is NaN or infinite, naming its agent and question.

    Args:
        points: actions, shape (rows, n, 2).
        agents: names of the n executors.
        questions: number of the question of every row.
    """
    finite = np.isfinite(points).all(axis=2)
    if finite.all():
        return
    row, agent = np.argwhere(~finite)[0]
    raise ValueError(
        f"the action of {agents[agent]} for question {questions[row]} must be finite, "
        f"got {points[row, agent].tolist()}"
    )


class ViewArrays:
    """Arrays that describe B episodes so far.

    The owner writes into the public arrays; :meth:`observations` and :meth:`state` return fresh
    copies that share no memory.
    """

    def __init__(self, *, num_questions: int, n_agents: int, dim: int) -> None:
        self.layout = observation_layout(dim)
        self.state_layout = state_layout(dim, n_agents)
        self.question: FloatArray = np.zeros((num_questions, dim), dtype=np.float32)
        self.strategy: FloatArray = np.zeros((num_questions, dim), dtype=np.float32)
        self.responses: FloatArray = np.zeros((num_questions, n_agents, dim), dtype=np.float32)
        self.commitment: FloatArray = np.zeros((num_questions, dim), dtype=np.float32)
        self.actions: FloatArray = np.zeros((num_questions, n_agents, ACTION_SIZE), np.float32)
        self.round: FloatArray = np.zeros(num_questions, dtype=np.float32)
        """Share of the decision's rounds played, in [0, 1]."""
        self.decision: FloatArray = np.zeros(num_questions, dtype=np.float32)
        """Share of the episode's decisions closed, in [0, 1]."""

    def clear(self, rows: Iterable[int]) -> None:
        """Set all arrays of these questions to zero: nothing has happened yet."""
        index = list(rows)
        for array in (
            self.question,
            self.strategy,
            self.responses,
            self.commitment,
            self.actions,
            self.round,
            self.decision,
        ):
            array[index] = 0.0

    def observations(self) -> FloatArray:
        """Array (n, B, observation size): executor i's observations at position i."""
        num_questions, n_agents, _ = self.responses.shape
        out = np.empty((n_agents, num_questions, layout_size(self.layout)), dtype=np.float32)
        out[..., self.layout["question"]] = self.question
        out[..., self.layout["strategy"]] = self.strategy
        out[..., self.layout["response"]] = self.responses.swapaxes(0, 1)
        out[..., self.layout["commitment"]] = self.commitment
        out[..., self.layout["action"]] = self.actions.swapaxes(0, 1)
        out[..., self.layout["round"]] = self.round[:, None]
        out[..., self.layout["decision"]] = self.decision[:, None]
        return out

    def state(self) -> FloatArray:
        """Array (B, state size)."""
        num_questions = len(self.question)
        return np.concatenate(
            (
                self.question,
                self.strategy,
                self.commitment,
                self.round[:, None],
                self.decision[:, None],
                self.responses.reshape(num_questions, -1),
                self.actions.reshape(num_questions, -1),
            ),
            axis=1,
        )
