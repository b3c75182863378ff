"""From what the executors see to what they do: beliefs, actions, and refinement to equilibrium."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from econ_agents.algorithm.memory import Flags, FloatArray, Memory, moments_of, still_moments
from econ_agents.config.learning import BneSettings, MemorySettings
from econ_agents.environments import TeamSpace
from econ_agents.errors import EconAgentsError
from econ_agents.networks import TeamNetworks

ROUND_PART, COMMITMENT_PART, RESPONSE_PART = "round", "commitment", "response"
"""Names in an environment's ``observation_layout`` that refinement reads."""


class NonFiniteAction(EconAgentsError):
    """The networks have diverged: an action is NaN or infinite."""

    exit_code = 1


class TeamPolicy:
    """The executors' policies on several streams of episodes at once.

    Every call of :meth:`act` computes the rows of all streams, also of those that are not playing:
    what one stream does then never depends on how many others play beside it, to the last bit.

    Args:
        networks: of the team.
        space: of the environment. Where its layout does not name the round, every step is a
            decision of its own and nothing is refined.
        refine: later rounds move the last action by the refinement network; otherwise the policy
            acts anew in every round.
        bne: how far and until when they move it.
        memory: what is remembered of a stream.
        streams: number of streams S.
    """

    def __init__(
        self,
        networks: TeamNetworks,
        space: TeamSpace,
        *,
        refine: bool,
        bne: BneSettings,
        memory: MemorySettings,
        streams: int,
    ) -> None:
        n_agents, layout = len(space.agents), space.layout or {}
        self.networks = networks
        self.refine = refine
        self.bne = bne
        self.streams = streams
        self.memory = Memory(
            memory,
            streams=streams,
            n_agents=n_agents,
            moment_size=networks.shapes.moment_size,
        )
        self._round = layout.get(ROUND_PART)
        self._commitment = layout.get(COMMITMENT_PART)
        self._seen = seen_columns(space)
        self._last: FloatArray = np.zeros((streams, n_agents, space.action_size), np.float32)
        self._commitments: list[list[FloatArray]] = [[] for _ in range(streams)]

    def begin(self, stream: int) -> FloatArray:
        """Start an episode; what is remembered of before, ``(known, n_agents, moment_size)``."""
        return self.memory.begin(stream)

    def act(self, observations: FloatArray) -> FloatArray:
        """Actions in [-1, 1], ``(streams, n_agents, action_size)``.

        Args:
            observations: ``(streams, n_agents, observation_size)``; any finite values where a
                stream is not playing.

        Raises:
            NonFiniteAction: the networks give no actions any more.
        """
        with torch.no_grad():
            proposed = self._propose(observations)
        if not np.isfinite(proposed).all():
            raise NonFiniteAction(
                "the policy's actions are NaN or infinite: its networks have diverged. Train with "
                "a smaller train.learning_rate, or take an earlier checkpoint"
            )
        if self._round is None:
            return proposed
        # Refinement looks at later rounds only: the first round of a decision is the policy's.
        later = observations[:, 0, self._round].max(axis=-1) > 0
        still = np.abs(proposed - self._last).max(axis=-1) < self.bne.convergence_threshold
        still |= self._settled(observations)[:, np.newaxis]
        repeats = later[:, np.newaxis] & still
        return np.where(repeats[..., np.newaxis], self._last, proposed)

    def played(self, stream: int, observations: FloatArray, actions: FloatArray) -> None:
        """Remember what one stream saw and did: ``(n_agents, size)`` each."""
        self._last[stream] = actions
        self.memory.append(stream, moments_of(observations, actions))
        if self._round is None or self._commitment is None:
            return
        if observations[0, self._round].max() > 0:
            self._commitments[stream].append(observations[0, self._commitment].copy())
        else:
            # A new decision: what an earlier one came to settles nothing.
            self._commitments[stream] = []

    def ended(self, stream: int, observations: FloatArray) -> None:
        """Remember the last observation of an episode, on which nobody acts."""
        self.memory.append(stream, still_moments(observations, self._last.shape[-1]))

    def forget(self, stream: int, known: FloatArray) -> None:
        """Take an episode back that failed; ``known`` is what :meth:`begin` returned."""
        self.memory.restore(stream, known)

    def _propose(self, observations: FloatArray) -> FloatArray:
        """What the networks would do, before anyone repeats an action."""
        moments, known = self.memory.windows(observations)
        window = torch.from_numpy(moments.transpose(2, 0, 1, 3).copy())
        device = self.networks.beliefs.action_head.weight.device
        beliefs = self.networks.beliefs(window.to(device), torch.from_numpy(known).to(device))
        first = _streams_first(self.networks.beliefs.actions(beliefs))
        if self._round is None or not self.refine:
            return first
        refined = _streams_first(
            self.networks.refine(
                beliefs,
                torch.from_numpy(observations[..., self._seen].swapaxes(0, 1).copy()).to(device),
                self.networks.encoder(beliefs),
                torch.from_numpy(self._last.swapaxes(0, 1).copy()).to(device),
                self.bne.update_rate,
            )
        )
        later = observations[:, :, self._round].max(axis=-1, keepdims=True) > 0
        return np.where(later, refined, first)

    def _settled(self, observations: FloatArray) -> Flags:
        """Streams whose commitments repeat or oscillate, ``(streams,)``."""
        settled = np.zeros(self.streams, dtype=np.bool_)
        if self._commitment is None:
            return settled
        for stream, earlier in enumerate(self._commitments):
            now = observations[stream, 0, self._commitment]
            repeated = bool(earlier) and self._match(now, earlier[-1])
            oscillates = (
                self.bne.detect_oscillation and len(earlier) > 1 and self._match(now, earlier[-2])
            )
            settled[stream] = repeated or oscillates
        return settled

    def _match(self, one: FloatArray, other: FloatArray) -> bool:
        """Whether two commitments are the same; an empty one is like no other."""
        length = float(np.linalg.norm(one) * np.linalg.norm(other))
        return length > 0 and float(one @ other) / length >= self.bne.commitment_match_threshold


def seen_columns(space: TeamSpace) -> NDArray[np.intp]:
    """Columns of an observation that show the last round: response and commitment.

    All columns where the environment does not name these two.
    """
    layout = space.layout or {}
    columns = np.arange(space.observation_size)
    if RESPONSE_PART not in layout or COMMITMENT_PART not in layout:
        return columns
    return np.concatenate([columns[layout[RESPONSE_PART]], columns[layout[COMMITMENT_PART]]])


def _streams_first(actions: Tensor) -> FloatArray:
    """``(n_agents, streams, size)`` to a contiguous array ``(streams, n_agents, size)``."""
    rows: FloatArray = actions.transpose(0, 1).contiguous().cpu().numpy()
    return rows
