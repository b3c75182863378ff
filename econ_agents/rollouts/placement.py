"""The place where episodes are played: the machine's property, never a run's or a checkpoint's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from econ_agents.config.schema import Config, ConfigError, Phase

if TYPE_CHECKING:  # the command line reads the flags without loading torch
    from econ_agents.environments import Teams
    from econ_agents.rollouts.base import Rollouts
    from econ_agents.rollouts.ray_pool import RayPool


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Flags that say where episodes are played.

    They are no keys of the configuration: results do not depend on them, and a file from somebody
    else must not name a cluster that this process then trusts.
    """

    rollout: Literal["local", "ray"] = "local"
    """Place at which episodes are played: "local", in this process, or "ray", by workers of a Ray
    cluster. Results do not depend on it."""
    ray_address: str | None = None
    """Address of the Ray cluster, HOST:PORT, or "auto" for the one on this machine. If left out, a
    cluster is started on this machine for as long as the command runs."""
    rollout_workers: int = 2
    """Number of workers with --rollout ray, >= 1; each takes one CPU of the cluster."""

    def placement(self) -> Placement:
        """Return these flags alone, if they are part of a command's."""
        return Placement(
            rollout=self.rollout,
            ray_address=self.ray_address,
            rollout_workers=self.rollout_workers,
        )

    def check(self) -> None:
        """Check the flags before anything is made.

        Raises:
            ConfigError: a flag is wrong, or Ray is not installed.
        """
        if self.rollout_workers < 1:
            raise ConfigError(f"--rollout-workers must be at least 1, got {self.rollout_workers}")
        if self.rollout == "local":
            if self.ray_address is not None:
                raise ConfigError("--ray-address is of use with --rollout ray only: add that")
            return
        if find_spec("ray") is None:
            raise ConfigError(
                "--rollout ray needs Ray, which is not installed: pip install 'econ-env[ray]'"
            )

    def open(self, config: Config, phase: Phase, teams: Teams, *, bne: bool = True) -> Rollouts:
        """Open what plays the episodes of a phase.

        Args:
            config: the configuration.
            phase: ``"train"`` or ``"test"``.
            teams: an environment of that phase in this process. Workers make their own.
            bne: True to play decisions of several rounds; False for the one-round baseline.

        Raises:
            ConfigError: see :meth:`check`.
            ClusterError: there is no such cluster, or it lets no worker start.
        """
        self.check()
        if self.rollout == "local":
            from econ_agents.algorithm.builders import build_exploration
            from econ_agents.rollouts.base import LocalRollouts

            return LocalRollouts(teams=teams, exploration=build_exploration(config).explore)
        self._before_ray()
        from econ_agents.rollouts.ray_cluster import RayRollouts

        return RayRollouts(
            config, phase, bne=bne, workers=self.rollout_workers, address=self.ray_address
        )

    def open_pool(self, worker: type, job: Any) -> RayPool:
        """Open workers for tasks of another kind; see :class:`~.ray_pool.RayPool`.

        Raises:
            ClusterError: there is no such cluster.
        """
        self._before_ray()
        from econ_agents.rollouts.ray_pool import RayPool

        return RayPool(worker, job, workers=self.rollout_workers, address=self.ray_address)

    def _before_ray(self) -> None:
        """Prepare the import of Ray."""
        if self.ray_address is None:
            # Read when Ray is imported: a cluster of this machine alone stays on the loopback
            # interface, as it does on macOS, because it runs the code of whoever can reach it.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
