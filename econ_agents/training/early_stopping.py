"""Early stopping: by the paper's three criteria, or when the mean reward stalls.

Both rules count measurements, not seconds or episodes. Feed them one for every update of the
networks: between two updates the loss does not change, which would look like convergence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from econ_agents.algorithm.builders import commitment_columns
from econ_agents.config.schema import Config, ConfigError
from econ_agents.environments import TeamSpace


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Measurements for early stopping after one update of the networks.

    Raises:
        ValueError: a number is NaN or infinite.
    """

    reward_mean: float
    """Mean reward of the executors over the episodes since the last update."""
    loss: float
    """Total loss L_tot, the weighted sum of all losses."""
    commitment_change: float | None
    """Change ||C' - C|| of the commitment; None if the environment has no commitments."""

    def __post_init__(self) -> None:
        for name in ("reward_mean", "loss", "commitment_change"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} is {value}: early stopping needs a finite number")


class Stopping(Protocol):
    """Rule that decides after every update whether training ends."""

    @property
    def reason(self) -> str:
        """Reason why training ends, in words; empty while it continues."""

    def update(self, measured: Measurement) -> bool:
        """Take the next measurement; return True if training ends."""

    def state(self) -> dict[str, Any]:
        """State of the rule, as plain JSON data."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that :meth:`state` returned."""


class EarlyStopping:
    """Early stopping when three criteria hold together (paper, 3.6).

    (i) ||C' - C|| <= epsilon_c, (ii) mean reward >= reward_threshold, (iii) |L_tot' - L_tot| <=
    epsilon_l. They must hold for ``patience`` measurements in a row, not counting the first
    ``warmup`` ones.

    Args:
        epsilon_c: largest change of the commitment, >= 0.
        reward_threshold: least mean reward R_threshold.
        epsilon_l: largest change of the total loss, >= 0.
        patience: number of measurements, >= 1.
        warmup: number of measurements, >= 0.
    """

    def __init__(
        self,
        *,
        epsilon_c: float,
        reward_threshold: float,
        epsilon_l: float,
        patience: int,
        warmup: int,
    ) -> None:
        _check(patience, warmup)
        self._epsilon_c = epsilon_c
        self._reward_threshold = reward_threshold
        self._epsilon_l = epsilon_l
        self._patience = patience
        self._warmup = warmup
        self._seen = 0
        self._in_a_row = 0
        self._loss: float | None = None

    @property
    def reason(self) -> str:
        """Reason why training ends, in words; empty while it continues."""
        if self._in_a_row < self._patience:
            return ""
        return (
            f"for {self._in_a_row} updates in a row the commitment moved by at most "
            f"{self._epsilon_c:g}, the mean reward was at least {self._reward_threshold:g} and the "
            f"loss changed by at most {self._epsilon_l:g}"
        )

    def update(self, measured: Measurement) -> bool:
        """Take the next measurement; return True if training ends.

        Raises:
            ValueError: the measurement has no commitment change.
        """
        if measured.commitment_change is None:
            raise ValueError(
                "early stopping by epsilon_c needs an environment with commitments: set "
                "early_stopping.epsilon_c, epsilon_l and reward_threshold to null to stop when "
                "the mean reward stalls"
            )
        converged = (
            measured.commitment_change <= self._epsilon_c
            and measured.reward_mean >= self._reward_threshold
            and self._loss is not None
            and abs(measured.loss - self._loss) <= self._epsilon_l
        )
        self._loss = measured.loss
        self._seen += 1
        self._in_a_row = self._in_a_row + 1 if converged and self._seen > self._warmup else 0
        return self._in_a_row >= self._patience

    def state(self) -> dict[str, Any]:
        """State of the rule, as plain JSON data."""
        return {"seen": self._seen, "in_a_row": self._in_a_row, "loss": self._loss}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that :meth:`state` returned."""
        self._seen, self._in_a_row = _count(state, "seen"), _count(state, "in_a_row")
        self._loss = _number(state, "loss")


class PlateauStopping:
    """Early stopping when the mean reward has not grown for ``patience`` measurements.

    Growth is a mean reward above the best one so far by more than ``min_delta``. The first
    ``warmup`` measurements do not count, not even as the best, because their actions are random.

    Args:
        min_delta: growth of the mean reward that counts, >= 0.
        patience: number of measurements, >= 1.
        warmup: number of measurements, >= 0.
    """

    def __init__(self, *, min_delta: float, patience: int, warmup: int) -> None:
        _check(patience, warmup)
        self._min_delta = min_delta
        self._patience = patience
        self._warmup = warmup
        self._seen = 0
        self._stale = 0
        self._best: float | None = None

    @property
    def reason(self) -> str:
        """Reason why training ends, in words; empty while it continues."""
        if self._stale < self._patience:
            return ""
        return (
            f"for {self._stale} updates the mean reward has not grown by more than "
            f"{self._min_delta:g} above {self._best:g}"
        )

    def update(self, measured: Measurement) -> bool:
        """Take the next measurement; return True if training ends."""
        self._seen += 1
        if self._seen <= self._warmup:
            return False
        if self._best is None or measured.reward_mean > self._best + self._min_delta:
            self._best, self._stale = measured.reward_mean, 0
        else:
            self._stale += 1
        return self._stale >= self._patience

    def state(self) -> dict[str, Any]:
        """State of the rule, as plain JSON data."""
        return {"seen": self._seen, "stale": self._stale, "best": self._best}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that :meth:`state` returned."""
        self._seen, self._stale = _count(state, "seen"), _count(state, "stale")
        self._best = _number(state, "best")
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
    if (
        settings.epsilon_c is None
        or settings.epsilon_l is None
        or settings.reward_threshold is None
    ):
        return PlateauStopping(
            min_delta=settings.min_delta, patience=settings.patience, warmup=settings.warmup
        )
    if commitment_columns(space) is None:
        raise ConfigError(
            "early_stopping.epsilon_c is for environments that name their commitment "
            "(metadata['observation_layout']), and this one does not: set epsilon_c, epsilon_l and "
            "reward_threshold of early_stopping to null, to stop when the mean reward stalls, or "
            "early_stopping.enabled to false"
        )
    return EarlyStopping(
        epsilon_c=settings.epsilon_c,
        epsilon_l=settings.epsilon_l,
        reward_threshold=settings.reward_threshold,
        patience=settings.patience,
        warmup=settings.warmup,
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
