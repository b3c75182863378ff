"""Memory of an executor: the last moments of its stream, never rewards or correctness.

A *stream* is the sequence of episodes that one place of the batch plays. A *moment* is
(observation | action taken on it | 1), or (observation | 0 | 0) for an episode's last observation,
on which no action is taken. Since observations hold no reward and no gold answer, neither can reach
a policy through its memory.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from econ_agents.config.learning import MemorySettings

FloatArray: TypeAlias = NDArray[np.float32]
Flags: TypeAlias = NDArray[np.bool_]


def moments_of(observations: FloatArray, actions: FloatArray) -> FloatArray:
    """Moments ``(..., n_agents, moment_size)`` of observations and the actions taken on them.

    Args:
        observations: ``(..., n_agents, observation_size)``.
        actions: ``(..., n_agents, action_size)``.
    """
    acted = np.ones((*observations.shape[:-1], 1), dtype=np.float32)
    return np.concatenate([observations, actions, acted], axis=-1)


def still_moments(observations: FloatArray, action_size: int) -> FloatArray:
    """Moments without an action: the present, or an episode's last observation."""
    nothing = np.zeros((*observations.shape[:-1], action_size + 1), dtype=np.float32)
    return np.concatenate([observations, nothing], axis=-1)


class Memory:
    """The last moments of every stream.

    Args:
        settings: the number L of moments that are kept, and the scope. ``"episode"`` forgets at the
            start of every episode, which gives the local history tau_i of the paper; ``"stream"``
            carries over from episode to episode, so that an executor can adapt within a session to
            the kind of questions.
        streams: number of streams S.
        n_agents: number of agents.
        moment_size: numbers in one moment.
    """

    def __init__(
        self, settings: MemorySettings, *, streams: int, n_agents: int, moment_size: int
    ) -> None:
        self.settings = settings
        self.moments: FloatArray = np.zeros(
            (streams, settings.length, n_agents, moment_size), dtype=np.float32
        )
        """Moments ``(streams, length, n_agents, moment_size)``, oldest first."""
        self.filled: Flags = np.zeros((streams, settings.length), dtype=np.bool_)
        """Mask ``(streams, length)``: True for moments that have happened."""

    def begin(self, stream: int) -> FloatArray:
        """Start an episode; return the moments remembered so far, ``(known, n_agents, size)``."""
        if self.settings.scope == "episode":
            self.filled[stream] = False
            self.moments[stream] = 0
        known: FloatArray = self.moments[stream][self.filled[stream]]
        return known

    def append(self, stream: int, moment: FloatArray) -> None:
        """Add a moment ``(n_agents, moment_size)`` and forget the oldest one."""
        if self.settings.length == 0:
            return
        self.moments[stream] = np.roll(self.moments[stream], -1, axis=0)
        self.moments[stream, -1] = moment
        self.filled[stream] = np.roll(self.filled[stream], -1)
        self.filled[stream, -1] = True

    def restore(self, stream: int, known: FloatArray) -> None:
        """Return to the state in which :meth:`begin` returned ``known``: the episode failed."""
        self.filled[stream] = False
        self.moments[stream] = 0
        if len(known):
            self.moments[stream, -len(known) :] = known
            self.filled[stream, -len(known) :] = True

    def windows(self, observations: FloatArray) -> tuple[FloatArray, Flags]:
        """Memory and present of all streams, as the belief networks read them.

        Args:
            observations: present observations, ``(streams, n_agents, observation_size)``.

        Returns:
            Moments ``(streams, length + 1, n_agents, moment_size)``, and a mask
            ``(streams, length + 1)`` that is True for the moments that have happened.
        """
        action_size = self.moments.shape[-1] - observations.shape[-1] - 1
        present = still_moments(observations, action_size)[:, np.newaxis]
        known = np.concatenate([self.filled, np.ones((len(present), 1), dtype=np.bool_)], axis=1)
        return np.concatenate([self.moments, present], axis=1), known
