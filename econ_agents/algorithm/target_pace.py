"""Pace of the target networks: the configured one, or a faster one if the run is short."""

from __future__ import annotations

import math
from dataclasses import dataclass

from econ_agents.config.schema import Config


@dataclass(frozen=True, kw_only=True)
class TargetPace:
    """Steps of the target networks towards the networks."""

    tau: float
    """Share of the way that one step makes, in (0, 1]."""
    interval: int
    """Updates between two steps, >= 1."""


def target_pace(config: Config) -> TargetPace:
    """Pace of a run: ``target_update_tau`` and ``target_update_interval``, or faster.

    Steps of 1% every 8 updates are for thousands of updates. In a run of a hundred they would
    leave the target networks untrained, and the TD targets of decisions that go on would hold the
    values of random networks. So the steps tau of a run sum up to ``target_update_catch_up`` at
    least, and some exp(-catch_up) of the first distance is left at its end.
    """
    tau, interval = config.target_update_tau, config.target_update_interval
    updates, catch_up = config.planned_updates, config.target_update_catch_up
    if catch_up:
        interval = max(1, min(interval, updates // math.ceil(catch_up)))
        tau = min(1.0, max(tau, catch_up * interval / max(updates, 1)))
    return TargetPace(tau=tau, interval=interval)
