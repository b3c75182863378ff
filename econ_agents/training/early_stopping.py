"""Early stopping: by the paper's three criteria, or when one metric stalls.

Both rules count episodes, so that they mean the same for any ``update_interval``. Feed them one
measurement for every interval in which the networks were updated: between two updates the loss does
not change, which would look like convergence. The loss and the rewards of a few episodes are noisy,
so they are smoothed: see :class:`Smoothed`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from econ_agents.algorithm.builders import commitment_columns
from econ_agents.config.learning import EarlyStoppingSettings
from econ_agents.config.schema import Config, ConfigError
from econ_agents.environments import TeamSpace


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Measurements for early stopping after an interval with updates of the networks.

    Raises:
        ValueError: a number is NaN or infinite.
    """

    episodes: int
    """Number of episodes played so far."""
    reward_per_decision: float
    """Mean reward of the executors for a decision, over the episodes of the interval."""
    loss: float
    """Total loss L_tot, the weighted sum of all losses."""
    metric: float
    """Value of the metric ``early_stopping.metric`` over the episodes of the interval."""
    commitment_change: float | None
    """Mean change ||C' - C|| of the commitments on the probe questions since the last measurement;
    None if they were not played, or not played before."""

    def __post_init__(self) -> None:
        for name in ("reward_per_decision", "loss", "metric", "commitment_change"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} is {value}: early stopping needs a finite number")


class Smoothed:
    """Exponential running mean of a number over a number of episodes.

    Args:
        episodes: number of episodes after which a measurement counts 1/e of what it did, >= 0;
            0 smooths nothing.
    """

    def __init__(self, episodes: float) -> None:
        self._episodes = episodes
        self.value: float | None = None
        """Running mean; None before the first measurement."""

    def update(self, value: float, elapsed: int) -> float:
        """Take the mean over the last ``elapsed`` episodes, and return the running mean."""
        kept = math.exp(-elapsed / self._episodes) if self._episodes else 0.0
        self.value = value if self.value is None else kept * self.value + (1 - kept) * value
        return self.value


class Stopping(Protocol):
    """Rule that decides after every interval with updates if training ends."""

    needs_probes: bool
    """True if it judges the commitments on the probe questions."""

    @property
    def reason(self) -> str:
        """Reason why training ends, in words; empty while it continues."""

    @property
    def measured(self) -> dict[str, float]:
        """Numbers that the rule compared last, by name, as far as they are known."""

    def update(self, measured: Measurement) -> bool:
        """Take the next measurement; return True if training ends."""

    def state(self) -> dict[str, Any]:
        """State of the rule, as plain JSON data."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that :meth:`state` returned."""


class EarlyStopping:
    """Early stopping when three criteria hold together (paper, 3.6).

    (i) ||C' - C|| <= commitment_threshold on fixed probe questions, (ii) reward per decision >=
    reward_threshold, (iii) |L_tot' - L_tot| <= loss_threshold, the last two smoothed. They must
    hold for ``patience`` episodes in a row, not counting the first ``warmup`` ones.

    Args:
        commitment_threshold: largest change of the commitments, >= 0.
        reward_threshold: least reward per decision R_threshold.
        loss_threshold: largest change of the smoothed total loss, >= 0.
        patience: number of episodes, >= 1.
        warmup: number of episodes, >= 0.
        smoothing: number of episodes over which loss and reward are smoothed, >= 0.
    """

    needs_probes = True

    def __init__(
        self,
        *,
        commitment_threshold: float,
        reward_threshold: float,
        loss_threshold: float,
        patience: int,
        warmup: int,
        smoothing: float,
    ) -> None:
        _check(patience, warmup)
        self._commitment_threshold = commitment_threshold
        self._reward_threshold = reward_threshold
        self._loss_threshold = loss_threshold
        self._patience = patience
        self._warmup = warmup
        self._loss = Smoothed(smoothing)
        self._reward = Smoothed(smoothing)
        self._episodes = 0
        self._held = 0
        self._measured: dict[str, float] = {}

    @property
    def reason(self) -> str:
        """Reason why training ends, in words; empty while it continues."""
        if self._held < self._patience:
            return ""
        return (
            f"for {self._held} episodes in a row the commitments on the probe questions moved by "
            f"at most {self._commitment_threshold:g}, the reward per decision was at least "
            f"{self._reward_threshold:g} and the loss changed by at most {self._loss_threshold:g}"
        )

    @property
    def measured(self) -> dict[str, float]:
        """The numbers compared last: ``reward_per_decision``, and the changes that are known."""
        return dict(self._measured)

    def update(self, measured: Measurement) -> bool:
        """Take the next measurement; return True if training ends."""
        elapsed = measured.episodes - self._episodes
        before = self._loss.value
        loss = self._loss.update(measured.loss, elapsed)
        reward = self._reward.update(measured.reward_per_decision, elapsed)
        moved = measured.commitment_change
        loss_change = None if before is None else abs(loss - before)
        converged = (
            moved is not None
            and moved <= self._commitment_threshold
            and reward >= self._reward_threshold
            and loss_change is not None
            and loss_change <= self._loss_threshold
        )
        counts = converged and measured.episodes > self._warmup
        self._held = self._held + elapsed if counts else 0
        self._episodes = measured.episodes
        changes = {"commitment_change": moved, "loss_change": loss_change}
        known = {name: value for name, value in changes.items() if value is not None}
        self._measured = {"reward_per_decision": reward, **known}
        return self._held >= self._patience

    def state(self) -> dict[str, Any]:
        """State of the rule, as plain JSON data."""
        return {
            "episodes": self._episodes,
            "held": self._held,
            "loss": self._loss.value,
            "reward": self._reward.value,
            "measured": self.measured,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that :meth:`state` returned."""
        self._episodes, self._held = _count(state, "episodes"), _count(state, "held")
        self._loss.value, self._reward.value = _number(state, "loss"), _number(state, "reward")
        measured = dict(state["measured"])
        known = {name: _number(measured, name) for name in measured}
        self._measured = {name: value for name, value in known.items() if value is not None}


class PlateauStopping:
    """Early stopping when one smoothed metric has not grown for ``patience`` episodes.

    Growth is a value above the best one so far by more than ``min_delta``. The first ``warmup``
    episodes do not count, not even as the best, because their actions are random.

    Args:
        metric: name of the metric, for messages.
        min_delta: growth of the metric that counts, >= 0.
        patience: number of episodes, >= 1.
        warmup: number of episodes, >= 0.
        smoothing: number of episodes over which the metric is smoothed, >= 0.
    """

    needs_probes = False

    def __init__(
        self, *, metric: str, min_delta: float, patience: int, warmup: int, smoothing: float
    ) -> None:
        _check(patience, warmup)
        self._metric = metric
        self._min_delta = min_delta
        self._patience = patience
        self._warmup = warmup
        self._smoothed = Smoothed(smoothing)
        self._episodes = 0
        self._stale = 0
        self._best: float | None = None

    @property
    def reason(self) -> str:
        """Reason why training ends, in words; empty while it continues."""
        if self._stale < self._patience:
            return ""
        return (
            f"for {self._stale} episodes {self._metric} has not grown by more than "
            f"{self._min_delta:g} above {self._best:g}"
        )

    @property
    def measured(self) -> dict[str, float]:
        """The smoothed metric as ``metric``; {} before it is known."""
        return {} if self._smoothed.value is None else {"metric": self._smoothed.value}

    def update(self, measured: Measurement) -> bool:
        """Take the next measurement; return True if training ends."""
        elapsed = measured.episodes - self._episodes
        self._episodes = measured.episodes
        if measured.episodes <= self._warmup:
            return False
        value = self._smoothed.update(measured.metric, elapsed)
        if self._best is None or value > self._best + self._min_delta:
            self._best, self._stale = value, 0
        else:
            self._stale += elapsed
        return self._stale >= self._patience

    def state(self) -> dict[str, Any]:
        """State of the rule, as plain JSON data."""
        return {
            "episodes": self._episodes,
            "stale": self._stale,
            "best": self._best,
            "smoothed": self._smoothed.value,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that :meth:`state` returned."""
        self._episodes, self._stale = _count(state, "episodes"), _count(state, "stale")
        self._best, self._smoothed.value = _number(state, "best"), _number(state, "smoothed")
        if self._stale and self._best is None:
            raise ValueError("the early stopping rule has waited, but for nothing")


def build_stopping(config: Config, space: TeamSpace) -> Stopping | None:
    """Make the early stopping rule of a configuration; None if it is off.

    Raises:
        ConfigError: the paper's criteria are set, but the environment has no commitments.
    """
    settings = config.early_stopping
    if not settings.enabled:
        return None
    if settings.commitment_threshold is not None and commitment_columns(space) is None:
        raise ConfigError(
            "early_stopping.commitment_threshold is for environments that name their commitment "
            "(metadata['observation_layout']), and this one does not: set commitment_threshold, "
            "loss_threshold and reward_threshold of early_stopping to null, to stop when "
            "early_stopping.metric stalls, or early_stopping.enabled to false"
        )
    return _rule(settings)


def earliest_stop(config: Config) -> int:
    """Number of episodes after which training can stop, if nothing changes from the beginning on.

    It is computed as if early stopping were on, and may be beyond ``train.episodes``.
    """
    stopping, train, interval = _rule(config.early_stopping), config.train, config.update_interval
    learns_at = max(train.warmup, train.enough_decisions)
    episodes = -(-learns_at // interval) * interval
    reward = config.early_stopping.reward_threshold or 0.0
    while not stopping.update(
        Measurement(
            episodes=episodes,
            reward_per_decision=reward,
            loss=0.0,
            metric=0.0,
            commitment_change=0.0,
        )
    ):
        episodes += interval
    return episodes


def _rule(settings: EarlyStoppingSettings) -> Stopping:
    """Make the rule that the settings describe: the paper's if its thresholds are set."""
    if (
        settings.commitment_threshold is None
        or settings.loss_threshold is None
        or settings.reward_threshold is None
    ):
        return PlateauStopping(
            metric=settings.metric,
            min_delta=settings.min_delta,
            patience=settings.patience,
            warmup=settings.warmup,
            smoothing=settings.smoothing,
        )
    return EarlyStopping(
        commitment_threshold=settings.commitment_threshold,
        loss_threshold=settings.loss_threshold,
        reward_threshold=settings.reward_threshold,
        patience=settings.patience,
        warmup=settings.warmup,
        smoothing=settings.smoothing,
    )


def _count(state: Mapping[str, Any], name: str) -> int:
    value = state[name]
    if type(value) is not int or value < 0:
        raise ValueError(f"{name} of the early stopping rule must be a whole number >= 0")
    return value


def _number(state: Mapping[str, Any], name: str) -> float | None:
    value = state[name]
    if value is not None and type(value) not in (int, float):
        raise ValueError(f"{name} of the early stopping rule must be a number or null")
    return cast("float | None", value)


def _check(patience: int, warmup: int) -> None:
    if patience < 1 or warmup < 0:
        raise ValueError(f"patience must be >= 1 and warmup >= 0, not {patience} and {warmup}")
