"""Methods whose questions are answered by workers of a Ray cluster.

A worker has models, cache and budget of its own, and builds the methods that it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.comparison.building import Workshop
from benchmarks.comparison.econ import steering_of
from benchmarks.comparison.econ_policy import Steering
from benchmarks.comparison.method import Method
from benchmarks.comparison.records import Item, Record
from benchmarks.comparison.specs import EconSpec, EconUntrainedSpec, Spec
from econ_agents.rollouts.errors import UsersError, told
from econ_agents.rollouts.placement import Placement
from econ_agents.rollouts.task import Task
from econ_agents.rollouts.worker import passed_on, prepare_process
from econ_env.config import EnvConfig

if TYPE_CHECKING:  # Ray is imported where it is used only
    from econ_agents.rollouts.ray_pool import RayPool

Checkpoints = Mapping[int, Path]
"""Checkpoint of the trained team of every run seed; empty if no method plays one."""


def steering_with(checkpoints: Checkpoints, spec: EconUntrainedSpec, seed: int) -> Steering:
    """Return the steering of a spec's team in a run.

    Untrained teams choose the middle of the box, whatever a checkpoint says.
    """
    return steering_of(spec, checkpoints[seed] if isinstance(spec, EconSpec) else None)


@dataclass(frozen=True, kw_only=True)
class Job:
    """The comparison that workers are made for."""

    config: EnvConfig
    """Settings of the game."""
    checkpoints: Checkpoints
    in_flight: int
    """Number of questions that a worker answers at the same time."""
    variables: Mapping[str, str]
    """Variables of the environment that the worker's process gets."""


class Worker:
    """Answers questions; errors for users are returned, not raised."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def open(self) -> UsersError | None:
        """Prepare the models; return what the user has to mend."""
        return told(self._open)

    def answer(self, spec: Spec, seed: int, items: Sequence[Item]) -> list[Record] | UsersError:
        """Return the records of a method on some questions."""
        return told(lambda: list(self._workshop.method(spec, seed).answer(items)))

    def _open(self) -> None:
        job = self._job
        prepare_process(job.variables)
        self._workshop = Workshop(
            job.config,
            job.config.models(),
            steering=partial(steering_with, job.checkpoints),
            in_flight=job.in_flight,
        )


class Spread:
    """A method whose questions are dealt out to workers.

    Args:
        spec: the method.
        seed: seed of the run.
        pool: the workers.
        share: number of questions of one task.
    """

    def __init__(self, spec: Spec, seed: int, pool: RayPool, share: int) -> None:
        self._spec, self._seed, self._pool, self._share = spec, seed, pool, share

    @property
    def spec(self) -> str:
        """Name and settings, as records and tables name the method."""
        return self._spec.canonical

    def answer(
        self, items: Sequence[Item], report: Callable[[str], object] | None = None
    ) -> Iterator[Record]:
        """See :meth:`benchmarks.comparison.method.Method.answer`.

        Raises:
            ClusterError: the cluster cannot play.
            WorkerError: a worker ran into an error that the user has to mend.
        """
        shares = [items[at : at + self._share] for at in range(0, len(items), self._share)]
        if report is not None:
            report(f"{len(items)} questions in {len(shares)} shares")
        tasks = [
            Task(
                name=f"answered {len(share)} questions by {self.spec}",
                start=partial(_started, self._spec, self._seed, share),
            )
            for share in shares
        ]
        for records in self._pool.run(tasks):
            yield from records


def _started(spec: Spec, seed: int, items: Sequence[Item], worker: Any) -> Any:
    """Start a task on a worker; return the reference of its result."""
    return worker.answer.remote(spec, seed, items)


class SpreadMethods:
    """Builder of methods whose questions are answered by workers of a Ray cluster.

    Args:
        placement: the flags that name the cluster.
        config: settings of the game.
        checkpoints: checkpoints of trained teams; every node needs these files.
        in_flight: number of questions that are answered at the same time, by all workers together.

    Raises:
        ClusterError: the cluster cannot be reached.
    """

    def __init__(
        self, placement: Placement, config: EnvConfig, checkpoints: Checkpoints, in_flight: int
    ) -> None:
        self._share = ceil(in_flight / placement.rollout_workers)
        job = Job(
            config=config,
            checkpoints=checkpoints,
            in_flight=self._share,
            variables=passed_on(),
        )
        self._pool = placement.open_pool(Worker, job)

    def method(self, spec: Spec, seed: int) -> Method:
        """Return the method of ``spec`` for the run ``seed``."""
        return Spread(spec, seed, self._pool, self._share)

    def close(self) -> None:
        """End the workers."""
        self._pool.close()
