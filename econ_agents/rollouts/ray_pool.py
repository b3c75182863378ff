"""Workers of a Ray cluster that carry out tasks, and of which any may be lost at any moment.

The task of a lost worker is carried out again, from its beginning, by another one. A task counts
once: when its result is here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from econ_agents.rollouts.errors import ClusterError, UsersError, WorkerError
from econ_agents.rollouts.task import Task

START_LIMIT_S = 300.0
"""Time within which at least one worker must be ready while none is, in seconds."""
LOSSES_PER_TASK = 3
"""Number of workers that one task may cost before it is given up."""
STILLBORN_LIMIT = 10
"""Largest number of workers in a row that may be lost before they are ready."""


@dataclass(eq=False)
class _Entry:
    """A task with its number in a run and the workers that it has cost."""

    number: int
    task: Task
    losses: int = 0


class RayPool:
    """Workers of one kind, each with one CPU, in processes of their own.

    The cluster is trusted: whoever can reach it can run code on it, and so on this machine.

    Args:
        worker: class of the workers, made with ``job``; its method ``open`` returns None, or the
            :class:`~econ_agents.rollouts.errors.UsersError` that prevents it from working.
        job: what every worker is made with.
        workers: number of workers.
        address: of the cluster; None starts one on this machine, which :meth:`close` ends.

    Raises:
        ClusterError: the cluster cannot be reached.
    """

    def __init__(self, worker: type, job: Any, *, workers: int, address: str | None) -> None:
        self._class, self._job = worker, job
        self._owns_cluster = _connect(address, workers)
        self.lost = 0
        """Number of workers lost so far."""
        self._stillborn = 0
        """Workers lost in a row before they were ready."""
        self._starting: dict[Any, Any] = {}
        """Workers that are not ready, by the reference of their start."""
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, _Entry]] = {}
        """Workers with what they do, by the reference of its result."""
        for _ in range(workers):
            self._start_worker()

    def run(self, tasks: Sequence[Task]) -> list[Any]:
        """Carry out tasks side by side; return their results in their order.

        Raises:
            ClusterError: no worker can start, or the same task costs one worker after another.
            WorkerError: a worker ran into an error that the user has to mend.
        """
        self._take_back()
        waiting = deque(_Entry(number, task) for number, task in enumerate(tasks))
        results: dict[int, Any] = {}
        since = time.monotonic()
        while len(results) < len(tasks):
            while waiting and self._idle:
                worker, entry = self._idle.pop(), waiting.popleft()
                self._busy[entry.task.start(worker)] = worker, entry
            refs = [*self._busy, *self._starting]
            done, _ = ray.wait(refs, num_returns=1, timeout=1.0)
            if self._busy or done:
                since = time.monotonic()
            elif time.monotonic() - since > START_LIMIT_S:
                raise ClusterError(_no_worker(len(self._starting)))
            for ref in done:
                if ref in self._starting:
                    self._welcome(ref)
                    continue
                worker, entry = self._busy.pop(ref)
                result = self._result(ref)
                if result is None:
                    entry.losses += 1
                    if entry.losses >= LOSSES_PER_TASK:
                        raise ClusterError(
                            f"{entry.losses} workers were lost one after the other while they "
                            f"{entry.task.name}: look at the logs of the cluster (ray logs), and "
                            "at the memory of its nodes"
                        )
                    waiting.appendleft(entry)
                    continue
                self._idle.append(worker)
                results[entry.number] = result
        return [results[number] for number in range(len(tasks))]

    def close(self) -> None:
        """End the workers, and the cluster if it was started here. May be called twice."""
        busy = [worker for worker, _ in self._busy.values()]
        for worker in (*self._starting.values(), *self._idle, *busy):
            ray.kill(worker)
        self._starting, self._idle, self._busy = {}, [], {}
        if self._owns_cluster:
            ray.shutdown()

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
        """Wait for workers that an interrupted call left at work; what they did is dropped."""
        for ref, (worker, _) in list(self._busy.items()):
            del self._busy[ref]
            if self._result(ref) is not None:
                self._idle.append(worker)

    def _welcome(self, ref: Any) -> None:
        """Take a worker that is ready among the idle ones."""
        worker = self._starting.pop(ref)
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
        self._idle.append(worker)

    def _start_worker(self) -> None:
        # Never restarted or retried by Ray: whoever is lost is replaced here, and counted.
        remote = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(self._class)
        worker = remote.remote(self._job)
        self._starting[worker.open.remote()] = worker


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
