"""Rollouts by workers of a Ray cluster, of which any may be lost at any moment.

The parameters of the policy go to the workers as safetensors, once per call of
:meth:`RayRollouts.play`, and episodes come back as safetensors. The share of a lost worker is
played again, from its beginning, by another one. A share counts once: when its result is here.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from econ_agents.algorithm.builders import streams_of
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.algorithm.rollout import with_equal_infos
from econ_agents.config.schema import Config, Phase
from econ_agents.errors import EconAgentsError
from econ_agents.rollouts.base import Observer, Trace
from econ_agents.rollouts.shares import Played, Share, cut_lap
from econ_agents.rollouts.worker import Job, UsersError, Worker, packed

START_LIMIT_S = 300.0
"""Time within which at least one worker must be ready while none is, in seconds."""
LOSSES_PER_SHARE = 3
"""Number of workers that one share may cost before it is given up."""
STILLBORN_LIMIT = 10
"""Largest number of workers in a row that may be lost before they are ready."""
PASSED_ON = ("ECON_ALLOW_KEY_FOR",)
"""Variables of this process's environment that workers get: what the user said on the command
line. Keys are not among them: they must stand in the environment of every node."""


class ClusterError(EconAgentsError):
    """The cluster cannot be reached, or cannot play."""

    exit_code = 1


class WorkerError(EconAgentsError):
    """An error for users that a worker ran into, such as a wrong key or an exhausted budget."""

    def __init__(self, error: UsersError) -> None:
        super().__init__(error.message)
        self.exit_code = error.exit_code  # type: ignore[misc]


@dataclass(eq=False)
class _Task:
    """A share with its number in the lap and the workers that it has cost."""

    number: int
    share: Share
    losses: int = 0


@dataclass(eq=False)
class _Pool:
    """Workers by what they are doing."""

    starting: dict[Any, Any] = field(default_factory=dict)
    """Workers that are not ready, by the reference of their start."""
    idle: list[Any] = field(default_factory=list)
    busy: dict[Any, tuple[Any, _Task]] = field(default_factory=dict)
    """Workers with what they play, by the reference of its result."""


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
        self._owns_cluster = _connect(address, workers)
        self._streams = streams_of(config, phase)
        places = min(config.train.in_flight, ceil(self._streams / workers))
        variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._job = Job(config=config, phase=phase, bne=bne, places=places, variables=variables)
        self._pool = _Pool()
        self.lost = 0
        """Number of workers lost so far."""
        self._stillborn = 0
        """Workers lost in a row before they were ready."""
        for _ in range(workers):
            self._start_worker()

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
                self._job.places,
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
        pool, self._pool = self._pool, _Pool()
        busy = [worker for worker, _ in pool.busy.values()]
        for worker in (*pool.starting.values(), *pool.idle, *busy):
            ray.kill(worker)
        if self._owns_cluster:
            ray.shutdown()

    def _play_shares(self, weights: Any, shares: Sequence[Share]) -> list[Played]:
        """Play shares side by side; return what was played in their order."""
        self._take_back()
        waiting = deque(_Task(number, share) for number, share in enumerate(shares))
        played: dict[int, Played] = {}
        pool = self._pool
        since = time.monotonic()
        while len(played) < len(shares):
            while waiting and pool.idle:
                worker, task = pool.idle.pop(), waiting.popleft()
                pool.busy[worker.play.remote(weights, task.share)] = worker, task
            refs = [*pool.busy, *pool.starting]
            done, _ = ray.wait(refs, num_returns=1, timeout=1.0)
            if pool.busy or done:
                since = time.monotonic()
            elif time.monotonic() - since > START_LIMIT_S:
                raise ClusterError(_no_worker(len(pool.starting)))
            for ref in done:
                if ref in pool.starting:
                    self._welcome(ref)
                    continue
                worker, task = pool.busy.pop(ref)
                result = self._result(ref)
                if result is None:
                    task.losses += 1
                    if task.losses >= LOSSES_PER_SHARE:
                        raise ClusterError(
                            f"{task.losses} workers were lost one after the other while they "
                            f"played episodes {task.share.first} to "
                            f"{task.share.first + len(task.share.seeds) - 1}: look at the logs of "
                            "the cluster (ray logs), and at the memory of its nodes"
                        )
                    waiting.appendleft(task)
                    continue
                pool.idle.append(worker)
                played[task.number] = result
        return [played[number] for number in range(len(shares))]

    def _result(self, ref: Any) -> Any:
        """Result of a worker; None if the worker was lost, for which another one is started.

        Raises:
            WorkerError: it ran into an error for users.
        """
        try:
            result = ray.get(ref)
        except RayTaskError:
            raise
        except RayError:
            self.lost += 1
            self._start_worker()
            return None
        if isinstance(result, UsersError):
            raise WorkerError(result)
        return result

    def _take_back(self) -> None:
        """Wait for workers that an interrupted call left at play; what they played is dropped."""
        for ref, (worker, _) in list(self._pool.busy.items()):
            del self._pool.busy[ref]
            if self._result(ref) is not None:
                self._pool.idle.append(worker)

    def _welcome(self, ref: Any) -> None:
        """Take a worker that is ready among the idle ones."""
        worker = self._pool.starting.pop(ref)
        try:
            problem = ray.get(ref)
        except RayTaskError:
            raise
        except RayError as error:
            self._stillborn += 1
            if self._stillborn > STILLBORN_LIMIT:
                raise ClusterError(
                    f"workers die as they start, the last one of: {error}. Every node needs the "
                    "versions of this package, of Python and of Ray that run here"
                ) from error
            self.lost += 1
            self._start_worker()
            return
        self._stillborn = 0
        if problem is not None:
            raise WorkerError(problem)
        self._pool.idle.append(worker)

    def _start_worker(self) -> None:
        # Never restarted or retried by Ray: whoever is lost is replaced here, and counted.
        remote = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(Worker)
        worker = remote.remote(self._job)
        self._pool.starting[worker.open.remote()] = worker


def _itself(trace: Trace) -> Trace:
    return trace


def _connect(address: str | None, workers: int) -> bool:
    """Connect to a cluster; return True if it was started for that, on this machine."""
    if ray.is_initialized():
        return False
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if address is not None:
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, RayError, RuntimeError, ValueError) as error:
            raise ClusterError(
                f"--ray-address {address}: no Ray cluster can be reached there ({error}): start "
                "one with ray start --head, or leave the flag out"
            ) from error
        return False
    ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        **quiet,
    )
    return True


def _no_worker(wanted: int) -> str:
    """Message that no worker has started."""
    free = ray.available_resources().get("CPU", 0)
    return (
        f"none of {wanted} workers has started in {START_LIMIT_S:.0f} s: each needs one CPU, and "
        f"the cluster has {free:g} free; add nodes, or end what runs there"
    )
