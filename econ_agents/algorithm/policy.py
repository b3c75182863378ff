"""The executors' policies: from observations to beliefs, actions and their refinement."""

from __future__ import annotations

from typing import Any

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
"""Names of the parts of an ``observation_layout`` that refinement reads."""


class NonFiniteAction(EconAgentsError):
    """The networks have diverged: an action is NaN or infinite."""

    exit_code = 1


class TeamPolicy:
    """The executors' policies on several streams of episodes at once.

    Every call of :meth:`act` computes the rows of all streams, also of those that are not playing.
    The actions of one stream therefore do not depend, to the last bit, on how many others play.

    Args:
        networks: networks of the team.
        space: space of the environment. If its layout does not name the round, every step is a
            decision of its own and nothing is refined.
        refine: True if the refinement network moves the last action in later rounds of a decision;
            False if the policy acts anew in every round.
        bne: step size and stopping rules of the refinement.
        memory: length and scope of the memory.
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
        """Start an episode; return the moments remembered, ``(known, n_agents, moment_size)``."""
        return self.memory.begin(stream)

    def act(
        self, observations: FloatArray, periods: NDArray[np.floating[Any]] | None = None
    ) -> FloatArray:
        """Choose actions in [-1, 1], ``(streams, n_agents, action_size)``.

        Args:
            observations: ``(streams, n_agents, observation_size)``; any finite values in the rows
                of streams that are not playing.
            periods: the environment's own word on commitments that repeat (1) or oscillate (2),
                ``(streams,)``; see :attr:`~econ_agents.environments.Moment.commitment_periods`.
                None: the environment says nothing, and the commitments' embeddings are compared.

        Raises:
            NonFiniteAction: the networks have diverged.
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
        # Only later rounds are refined: in the first round of a decision the policy acts freely.
        later = observations[:, 0, self._round].max(axis=-1) > 0
        still = np.abs(proposed - self._last).max(axis=-1) < self.bne.convergence_threshold
        settled = self._look_settled(observations) if periods is None else self._settled(periods)
        still |= settled[:, np.newaxis]
        repeats = later[:, np.newaxis] & still
        return np.where(repeats[..., np.newaxis], self._last, proposed)

    def played(self, stream: int, observations: FloatArray, actions: FloatArray) -> None:
        """Remember the observations and actions of one stream, ``(n_agents, size)`` each."""
        self._last[stream] = actions
        self.memory.append(stream, moments_of(observations, actions))
        if self._round is None or self._commitment is None:
            return
        if observations[0, self._round].max() > 0:
            self._commitments[stream].append(observations[0, self._commitment].copy())
        else:
            # A new decision begins: commitments of the last one say nothing about convergence.
            self._commitments[stream] = []

    def ended(self, stream: int, observations: FloatArray) -> None:
        """Remember the last observation of an episode, on which no action is taken."""
        self.memory.append(stream, still_moments(observations, self._last.shape[-1]))

    def forget(self, stream: int, known: FloatArray) -> None:
        """Forget a failed episode; ``known`` is what :meth:`begin` returned for it."""
        self.memory.restore(stream, known)

    def _propose(self, observations: FloatArray) -> FloatArray:
        """Actions that the networks propose, before converged ones are replaced by repetitions."""
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

    def _settled(self, periods: NDArray[np.floating[Any]]) -> Flags:
        """Mask ``(streams,)``: True for streams whose commitments repeat or oscillate."""
        settled: Flags = (periods == 1) | ((periods == 2) & self.bne.detect_oscillation)
        return settled

    def _look_settled(self, observations: FloatArray) -> Flags:
        """Mask as of :meth:`_settled`, judged by the embeddings of the commitments."""
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
        """Return True if two commitments are the same; an empty one equals no other."""
        length = float(np.linalg.norm(one) * np.linalg.norm(other))
        return length > 0 and float(one @ other) / length >= self.bne.commitment_match_threshold


def seen_columns(space: TeamSpace) -> NDArray[np.intp]:
    """Columns of an observation that show the last round: response and commitment.

    Return all columns if the environment does not name these two parts.
    """
    layout = space.layout or {}
    columns = np.arange(space.observation_size)
    if RESPONSE_PART not in layout or COMMITMENT_PART not in layout:
        return columns
    return np.concatenate([columns[layout[RESPONSE_PART]], columns[layout[COMMITMENT_PART]]])


def _streams_first(actions: Tensor) -> FloatArray:
    """Turn ``(n_agents, streams, size)`` into a contiguous array ``(streams, n_agents, size)``."""
    rows: FloatArray = actions.transpose(0, 1).contiguous().cpu().numpy()
    return rows
