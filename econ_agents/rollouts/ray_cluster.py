"""Rollouts by workers of a Ray cluster.

The parameters of the policy go to the workers as safetensors, once per call of
:meth:`RayRollouts.play`, and episodes come back as safetensors. What a lost worker played is played
again by another one (:mod:`~econ_agents.rollouts.ray_pool`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil
from typing import Any

import ray

from econ_agents.algorithm.builders import streams_of
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.algorithm.rollout import with_equal_infos
from econ_agents.config.schema import Config, Phase
from econ_agents.rollouts.base import Observer, Trace
from econ_agents.rollouts.ray_pool import RayPool
from econ_agents.rollouts.shares import Played, Share, cut_lap
from econ_agents.rollouts.task import Task
from econ_agents.rollouts.worker import Job, Worker, packed, passed_on


class RayRollouts:
    """Plays the episodes of one phase on a Ray cluster; see :class:`~.base.Rollouts`.

    The cluster is trusted: whoever can reach it can run code on it, and so on this machine.

    Args:
        config: the configuration.
        phase: ``"train"`` or ``"test"``.
        bne: True to play decisions of several rounds; False for the one-round baseline.
        workers: number of workers, each with one CPU.
        address: of the cluster; None starts one on this machine, which :meth:`close` ends.

    Raises:
        ClusterError: the cluster cannot be reached.
    """

    def __init__(
        self,
        config: Config,
        phase: Phase,
        *,
        workers: int,
        bne: bool = True,
        address: str | None = None,
    ) -> None:
        self._streams = streams_of(config, phase)
        self._places = min(config.train.in_flight, ceil(self._streams / workers))
        job = Job(
            config=config,
            phase=phase,
            bne=bne,
            places=self._places,
            variables=passed_on(),
        )
        self._pool = RayPool(Worker, job, workers=workers, address=address)

    @property
    def lost(self) -> int:
        """Number of workers lost so far."""
        return self._pool.lost

    def play(
        self,
        policy: TeamPolicy,
        seeds: Sequence[int],
        *,
        first: int = 0,
        explore: bool = False,
        options: Mapping[str, Any] | None = None,
        questions: Sequence[int] | None = None,
        observe: Observer | None = None,
        traces: bool = False,
    ) -> list[Episode]:
        """Play one episode per seed; see :class:`~econ_agents.rollouts.base.Rollouts`.

        Raises:
            ClusterError: no worker can start, or the same episodes cost one worker after another.
            WorkerError: a worker ran into an error that the user has to mend.
        """
        weights = ray.put(packed(policy.networks))
        episodes: list[Episode] = []
        while len(episodes) < len(seeds):
            lap = slice(len(episodes), len(episodes) + self._streams)
            shares = cut_lap(
                policy.memory,
                seeds[lap],
                self._places,
                first=first + len(episodes),
                explore=explore,
                options=options,
                questions=None if questions is None else questions[lap],
                traces=traces,
            )
            for share, played in zip(shares, self._play_shares(weights, shares), strict=True):
                rows = slice(share.streams.start, share.streams.stop)
                policy.memory.moments[rows] = played.moments
                policy.memory.filled[rows] = played.filled
                for episode, trace in zip(played.unpacked(), played.traces, strict=True):
                    episodes.append(episode)
                    if observe is not None:
                        observe(episode, partial(_itself, trace))
        return with_equal_infos(episodes)

    def close(self) -> None:
        """End the workers, and the cluster if it was started here."""
        self._pool.close()

    def _play_shares(self, weights: Any, shares: Sequence[Share]) -> list[Played]:
        """Play shares side by side; return what was played in their order."""
        return self._pool.run([_task(weights, share) for share in shares])


def _task(weights: Any, share: Share) -> Task:
    last = share.first + len(share.seeds) - 1
    return Task(
        name=f"played episodes {share.first} to {last}",
        start=lambda worker: worker.play.remote(weights, share),
    )


def _itself(trace: Trace) -> Trace:
    return trace
