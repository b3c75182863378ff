"""Who steers a team through a question: a trained policy, the untrained one, or one fixed action.

Every question is begun with an empty memory, and its actions are computed on its own. A policy
that remembers the questions before would make a record depend on which these were, and a matrix
product may round the same row in another way beside others: then an interrupted comparison could
not go on to the same table. Trained teams lose nothing by it unless ``memory.scope`` is "stream".
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
from econ_agents.training.inspection import stored_config
from econ_env.sampling_action import SamplingBounds

_BOUNDS = (
    "temperature_min",
    "temperature_max",
    "repetition_penalty_min",
    "repetition_penalty_max",
)


class QuestionPolicy(Protocol):
    """Steers the team through one question."""

    def act(self, observations: FloatArray) -> FloatArray:
        """Actions of the next round in [-1, 1], ``(n_agents, action_size)``.

        Args:
            observations: of all executors, ``(n_agents, observation_size)``.
        """


Begin: TypeAlias = Callable[[], QuestionPolicy]
"""A fresh policy for one question."""


class Steering(Protocol):
    """Where policies come from."""

    def prepare(self, space: TeamSpace) -> Begin:
        """Policies for teams of these sizes.

        Raises:
            CheckpointError: there is a checkpoint, and it is damaged or does not fit.
        """


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The policy of a checkpoint, with its own rules of refinement.

    Only networks and their settings come from it. What is played does not.
    """

    checkpoint: Path

    def prepare(self, space: TeamSpace) -> Begin:
        """See :class:`Steering`."""
        config = _of_one_question(stored_config(self.checkpoint))
        self._check_box(config, space)
        try:
            networks = load_networks(config, self.checkpoint, space)
        except CheckpointError as error:
            raise CheckpointError(
                f"{self.checkpoint} does not fit the team that is compared, of "
                f"{len(space.agents)} executors with observations of {space.observation_size} "
                f"numbers: {error}. A checkpoint fits teams of its own size and embedder; with "
                "network.share_parameters, of any size"
            ) from error
        return _beginning(config, networks, space)

    def _check_box(self, config: Config, space: TeamSpace) -> None:
        """Raise where the same action would mean another temperature or penalty than it did."""
        given = environment_kwargs(config, "test")
        learned = SamplingBounds(**{name: given[name] for name in _BOUNDS if name in given})
        then = [getattr(learned, name) for name in _BOUNDS]
        now = [bound for part in space.action_parts or () for bound in (part.low, part.high)]
        if then != now:
            raise CheckpointError(
                f"{self.checkpoint} learned to choose T in [{then[0]:g}, {then[1]:g}] and p in "
                f"[{then[2]:g}, {then[3]:g}], and T in [{now[0]:g}, {now[1]:g}] and p in "
                f"[{now[2]:g}, {now[3]:g}] is played: its actions would mean something else. Play "
                "with the bounds that it was trained with"
            )


@dataclass(frozen=True, kw_only=True)
class Untrained:
    """The policy that training begins with: near the middle of the action box, whatever it sees."""

    checkpoint: Path | None = None
    """Of which training; None: of one with the default configuration."""

    def prepare(self, space: TeamSpace) -> Begin:
        """See :class:`Steering`."""
        config = Config() if self.checkpoint is None else stored_config(self.checkpoint)
        config = _of_one_question(config)
        return _beginning(config, build_networks(config, space).eval(), space)


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """One action for every executor, round and question."""

    action: tuple[float, float]
    """In units of the action box, [-1, 1]."""

    def prepare(self, space: TeamSpace) -> Begin:
        """See :class:`Steering`."""
        actions = np.tile(np.array(self.action, dtype=np.float32), (len(space.agents), 1))
        return lambda: _Constant(actions)


class _Constant:
    def __init__(self, actions: FloatArray) -> None:
        self._actions = actions

    def act(self, observations: FloatArray) -> FloatArray:
        return self._actions


class _Remembering:
    """A team's policy on the single stream that it has."""

    def __init__(self, policy: TeamPolicy) -> None:
        self._policy = policy
        policy.begin(0)

    def act(self, observations: FloatArray) -> FloatArray:
        actions: FloatArray = self._policy.act(observations[np.newaxis])[0]
        self._policy.played(0, observations, actions)
        return actions


def _of_one_question(config: Config) -> Config:
    """The configuration for policies of one stream, on the CPU, where all machines round alike."""
    return replace(config, device="cpu", test=replace(config.test, streams=1))


def _beginning(config: Config, networks: TeamNetworks, space: TeamSpace) -> Begin:
    return lambda: _Remembering(build_policy(config, networks, space, "test"))
