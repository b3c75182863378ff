"""What an executor remembers: the last moments of its stream. Never rewards, never correctness.

A *stream* is the sequence of episodes that one place of the batch plays. A *moment* is
(observation | action taken there | 1), or (observation | 0 | 0) for an episode's last observation,
on which nobody acts. Since observations hold no reward and no gold answer, nothing of them can
reach a policy through its memory.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from econ_agents.config.learning import MemorySettings

FloatArray: TypeAlias = NDArray[np.float32]
Flags: TypeAlias = NDArray[np.bool_]


def moments_of(observations: FloatArray, actions: FloatArray) -> FloatArray:
    """Moments ``(..., n_agents, moment_size)`` of observations and the actions taken there.

    Args:
        observations: ``(..., n_agents, observation_size)``.
        actions: ``(..., n_agents, action_size)``.
    """
    acted = np.ones((*observations.shape[:-1], 1), dtype=np.float32)
    return np.concatenate([observations, actions, acted], axis=-1)


def still_moments(observations: FloatArray, action_size: int) -> FloatArray:
    """Moments at which nobody has acted (yet): the present, or an episode's end."""
    nothing = np.zeros((*observations.shape[:-1], action_size + 1), dtype=np.float32)
    return np.concatenate([observations, nothing], axis=-1)


class Memory:
    """The last moments of every stream.

    Args:
        settings: the number L of moments that are kept, and the scope: ``"episode"`` forgets at the
            start of every episode, which is the local history tau_i of the paper; ``"stream"`` goes
            on over episodes, so that an executor learns within a session what kind of questions
            come.
        streams: number of streams S.
        n_agents, moment_size: sizes.
    """

    def __init__(
        self, settings: MemorySettings, *, streams: int, n_agents: int, moment_size: int
    ) -> None:
        self.settings = settings
        self.moments: FloatArray = np.zeros(
            (streams, settings.length, n_agents, moment_size), dtype=np.float32
        )
        """``(streams, length, n_agents, moment_size)``, oldest first."""
        self.filled: Flags = np.zeros((streams, settings.length), dtype=np.bool_)
        """``(streams, length)``: which of these have happened."""

    def begin(self, stream: int) -> FloatArray:
        """Start an episode; returns what is remembered of before, ``(known, n_agents, size)``."""
        if self.settings.scope == "episode":
            self.filled[stream] = False
            self.moments[stream] = 0
        known: FloatArray = self.moments[stream][self.filled[stream]]
        return known

    def append(self, stream: int, moment: FloatArray) -> None:
        """Remember one more moment ``(n_agents, moment_size)``, and forget the oldest."""
        if self.settings.length == 0:
            return
        self.moments[stream] = np.roll(self.moments[stream], -1, axis=0)
        self.moments[stream, -1] = moment
        self.filled[stream] = np.roll(self.filled[stream], -1)
        self.filled[stream, -1] = True

    def restore(self, stream: int, known: FloatArray) -> None:
        """Undo everything since :meth:`begin` returned ``known``: the episode does not count."""
        self.filled[stream] = False
        self.moments[stream] = 0
        if len(known):
            self.moments[stream, -len(known) :] = known
            self.filled[stream, -len(known) :] = True

    def windows(self, observations: FloatArray) -> tuple[FloatArray, Flags]:
        """Memory and present of all streams, as the belief networks read them.

        Args:
            observations: of the present, ``(streams, n_agents, observation_size)``.

        Returns:
            moments ``(streams, length + 1, n_agents, moment_size)`` and which of them are known,
            ``(streams, length + 1)``.
        """
        action_size = self.moments.shape[-1] - observations.shape[-1] - 1
        present = still_moments(observations, action_size)[:, np.newaxis]
        known = np.concatenate([self.filled, np.ones((len(present), 1), dtype=np.bool_)], axis=1)
        return np.concatenate([self.moments, present], axis=1), known
