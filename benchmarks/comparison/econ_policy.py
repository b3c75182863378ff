"""Policies that steer a team through a question: trained, untrained, or fixed actions.

Every question starts with an empty memory, and its actions are computed on their own. With a
memory of earlier questions a record would depend on these, and a matrix product may round a row
differently when other rows are beside it: an interrupted comparison would then continue to another
table. Trained teams lose nothing by this unless ``memory.scope`` is "stream".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np

from econ_agents.algorithm.builders import build_networks, build_policy
from econ_agents.algorithm.memory import FloatArray
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.config.environment_kwargs import environment_kwargs
from econ_agents.config.schema import Config
from econ_agents.environments import TeamSpace
from econ_agents.evaluation.evaluate import load_networks
from econ_agents.networks import TeamNetworks
from econ_agents.training.checkpoint import CheckpointError
from econ_agents.training.inspection import saved_config
from econ_env.sampling_action import SamplingAction, SamplingBounds

_BOUNDS = (
    "temperature_min",
    "temperature_max",
    "repetition_penalty_min",
    "repetition_penalty_max",
)


class QuestionPolicy(Protocol):
    """Policy of a team for one question."""

    def act(self, observations: FloatArray, period: float) -> FloatArray:
        """Return the actions of the next round in [-1, 1], ``(n_agents, action_size)``.

        Args:
            observations: observations of all executors, ``(n_agents, observation_size)``.
            period: info ``commitment_period``: 1 if the commitment repeats, 2 if it oscillates.
        """


Begin: TypeAlias = Callable[[], QuestionPolicy]
"""Function that returns a fresh policy for one question."""


class Steering(Protocol):
    """Source of a team's policies."""

    def prepare(self, space: TeamSpace) -> Begin:
        """Return a function that makes policies for teams with these spaces.

        Raises:
            CheckpointError: the checkpoint is damaged or does not fit.
        """


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The policy of a checkpoint, with its own rules of refinement.

    Only the networks and their settings come from the checkpoint, not those of the game.
    """

    checkpoint: Path

    def prepare(self, space: TeamSpace) -> Begin:
        """See :class:`Steering`."""
        config = _of_one_question(saved_config(self.checkpoint))
        self._check_box(config, space)
        try:
            networks = load_networks(config, self.checkpoint, space)
        except CheckpointError as error:
            raise CheckpointError(
                f"{self.checkpoint} does not fit the compared team of {len(space.agents)} "
                f"executors with observations of {space.observation_size} numbers: {error}. A "
                "checkpoint fits teams of its own size and embedder; with "
                "network.share_parameters it fits teams of any size"
            ) from error
        return _beginning(config, networks, space)

    def _check_box(self, config: Config, space: TeamSpace) -> None:
        """Raise if an action would mean another temperature or penalty than it did in training."""
        given = environment_kwargs(config, "test")
        try:
            learned = SamplingBounds(**{name: given[name] for name in _BOUNDS if name in given})
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{self.checkpoint} has no valid action box: {error}") from error
        then = [getattr(learned, name) for name in _BOUNDS]
        now = [bound for part in space.action_parts or () for bound in (part.low, part.high)]
        if then != now:
            raise CheckpointError(
                f"{self.checkpoint} learned to choose T in [{then[0]:g}, {then[1]:g}] and p in "
                f"[{then[2]:g}, {then[3]:g}], but this game has T in [{now[0]:g}, {now[1]:g}] and "
                f"p in [{now[2]:g}, {now[3]:g}]: its actions would mean something else. Play with "
                "the bounds that it was trained with"
            )


@dataclass(frozen=True, kw_only=True)
class Untrained:
    """The policy that training begins with: near the middle of the action box for any input."""

    checkpoint: Path | None = None
    """Checkpoint whose configuration the policy takes; None takes the default configuration."""

    def prepare(self, space: TeamSpace) -> Begin:
        """See :class:`Steering`."""
        config = Config() if self.checkpoint is None else saved_config(self.checkpoint)
        config = _of_one_question(config)
        return _beginning(config, build_networks(config, space).eval(), space)


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """One action for every executor, round and question."""

    action: tuple[float, float]
    """Temperature and repetition penalty in units of the action box, [-1, 1]."""

    def prepare(self, space: TeamSpace) -> Begin:
        """See :class:`Steering`."""
        actions = np.tile(np.array(self.action, dtype=np.float32), (len(space.agents), 1))
        return lambda: _Constant(actions)


@dataclass(frozen=True, kw_only=True)
class FixedProfile:
    """One temperature and repetition penalty for each executor, in all rounds and questions.

    Lists shorter than the team are dealt out in turn.
    """

    temperatures: tuple[float, ...]
    repetition_penalties: tuple[float, ...]

    def prepare(self, space: TeamSpace) -> Begin:
        """See :class:`Steering`.

        Raises:
            ValueError: the action box does not contain a sampling action, or a list is longer than
                the team.
        """
        n_agents = len(space.agents)
        longest = max(len(self.temperatures), len(self.repetition_penalties))
        if longest > n_agents:
            raise ValueError(
                f"{longest} temperatures or penalties are more than the {n_agents} executors"
            )
        profile = [
            SamplingAction(
                temperature=self.temperatures[index % len(self.temperatures)],
                repetition_penalty=self.repetition_penalties[
                    index % len(self.repetition_penalties)
                ],
            )
            for index in range(n_agents)
        ]
        bounds = _bounds_of(space)
        for sampling in profile:
            if not bounds.contains(sampling):
                raise ValueError(
                    f"temperature {sampling.temperature:g} and repetition_penalty "
                    f"{sampling.repetition_penalty:g} are outside [{bounds.temperature_min:g}, "
                    f"{bounds.temperature_max:g}] and [{bounds.repetition_penalty_min:g}, "
                    f"{bounds.repetition_penalty_max:g}], which executors may choose from: see "
                    "--temperature-min, --temperature-max, --repetition-penalty-min and "
                    "--repetition-penalty-max"
                )
        actions = np.array([bounds.normalise(each) for each in profile], dtype=np.float32)
        return lambda: _Constant(actions)


def _bounds_of(space: TeamSpace) -> SamplingBounds:
    temperature, penalty = space.action_parts or ()
    return SamplingBounds(
        temperature_min=temperature.low,
        temperature_max=temperature.high,
        repetition_penalty_min=penalty.low,
        repetition_penalty_max=penalty.high,
    )


class _Constant:
    def __init__(self, actions: FloatArray) -> None:
        self._actions = actions

    def act(self, observations: FloatArray, period: float) -> FloatArray:
        return self._actions


class _Remembering:
    """A team's policy with a memory, playing one stream."""

    def __init__(self, policy: TeamPolicy) -> None:
        self._policy = policy
        policy.begin(0)

    def act(self, observations: FloatArray, period: float) -> FloatArray:
        actions: FloatArray = self._policy.act(observations[np.newaxis], np.array([period]))[0]
        self._policy.played(0, observations, actions)
        return actions


def _of_one_question(config: Config) -> Config:
    """Return ``config`` for one stream, on the CPU, where all machines round alike."""
    return replace(config, device="cpu", test=replace(config.test, streams=1))


def _beginning(config: Config, networks: TeamNetworks, space: TeamSpace) -> Begin:
    return lambda: _Remembering(build_policy(config, networks, space, "test"))
