"""Sampling actions, and the mapping of points of the action box to them.

An agent never sees temperatures. It chooses a point a of the box [-1, 1]^2, which maps affinely to
e_i = (T_i, p_i), the sampling temperature and the repetition penalty of executor i:

    T = T_min + (a_0 + 1)/2 · (T_max - T_min),      p = p_min + (a_1 + 1)/2 · (p_max - p_min)

with the inverse a_0 = 2·(T - T_min)/(T_max - T_min) - 1 (likewise a_1), and a = 0 where the
interval has no width. Points outside the box are clipped to its border. T and p may be rounded to
a number of decimals. Points that differ only in their last bits, such as those of one policy on
two processors, then become equal sampling actions and so equal requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingAction:
    """The action e_i of the paper: the sampling settings of one executor's next response."""

    temperature: float
    """Softmax temperature T_i, >= 0; 0 is greedy decoding."""
    repetition_penalty: float
    """Multiplicative penalty p_i, > 0; 1 is neutral, below 1 rewards repetition."""


GREEDY_BELOW = 0.05
"""Temperature below which a box that begins at 0 decodes greedily."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingBounds:
    """The box of temperatures and repetition penalties that agents may choose from.

    Raises ``ValueError`` if an interval is empty, infinite or outside the range of a sampler.
    """

    temperature_min: float = 0.0
    temperature_max: float = 2.0
    repetition_penalty_min: float = 0.8
    repetition_penalty_max: float = 1.5
    top_p: float = 0.9
    """Probability mass of nucleus sampling, in (0, 1]; fixed, not chosen by agents."""
    digits: int | None = None
    """Number of decimals to which T and p are rounded, from 0 to 15; None: no rounding."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("temperature", self.temperature_min, self.temperature_max),
            ("repetition_penalty", self.repetition_penalty_min, self.repetition_penalty_max),
        ):
            if not (math.isfinite(low) and math.isfinite(high) and 0 <= low <= high):
                raise ValueError(
                    f"{name}_min and {name}_max must be finite with 0 <= min <= max, "
                    f"got {low} and {high}"
                )
        if self.repetition_penalty_min == 0:
            raise ValueError("repetition_penalty_min must be above 0: logits are divided by it")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}")
        if self.digits is not None and not 0 <= self.digits <= 15:
            raise ValueError(f"sampling_digits must be from 0 to 15, got {self.digits}")

    def to_sampling(self, action: ArrayLike) -> list[SamplingAction]:
        """The sampling actions of a batch of points of the box.

        If the box begins at temperature 0, temperatures below :data:`GREEDY_BELOW` are 0, so that
        policies whose actions only approach the edge can decode greedily.

        Args:
            action: array (..., 2) of finite numbers, ``[..., 0]`` for the temperature and
                ``[..., 1]`` for the repetition penalty; values beyond [-1, 1] are clipped.

        Returns:
            One ``SamplingAction`` per row, in C order of the leading axes; a single point of
            shape (2,) gives a list of one.

        Raises:
            ValueError: the last axis is not 2, or a number is NaN or infinite.
        """
        points = np.asarray(action, dtype=np.float64)
        if points.ndim == 0 or points.shape[-1] != 2:
            raise ValueError(
                f"an action must have shape (2,) or (..., 2): temperature and repetition "
                f"penalty in [-1, 1]; got shape {points.shape}"
            )
        rows: list[list[float]] = points.reshape(-1, 2).tolist()
        t_min, t_max = self.temperature_min, self.temperature_max
        p_min, p_max = self.repetition_penalty_min, self.repetition_penalty_max
        half_t, half_p = (t_max - t_min) / 2, (p_max - p_min) / 2
        sampling = []
        for index, (a, b) in enumerate(rows):
            if not (math.isfinite(a) and math.isfinite(b)):
                raise ValueError(f"the action of row {index} must be finite, got ({a}, {b})")
            temperature = t_min + (max(-1.0, min(1.0, a)) + 1.0) * half_t
            penalty = p_min + (max(-1.0, min(1.0, b)) + 1.0) * half_p
            if self.digits is not None:
                temperature, penalty = round(temperature, self.digits), round(penalty, self.digits)
            # Rounding, that of floating-point arithmetic at a = 1 included, may leave the bounds.
            temperature = max(t_min, min(t_max, temperature))
            if temperature < GREEDY_BELOW and t_min == 0:
                temperature = 0.0
            penalty = max(p_min, min(p_max, penalty))
            sampling.append(SamplingAction(temperature=temperature, repetition_penalty=penalty))
        return sampling

    def contains(self, action: SamplingAction) -> bool:
        """Return True if agents may choose ``action``."""
        return (
            self.temperature_min <= action.temperature <= self.temperature_max
            and self.repetition_penalty_min
            <= action.repetition_penalty
            <= self.repetition_penalty_max
        )

    def normalise(self, action: SamplingAction) -> tuple[float, float]:
        """The point of the box that maps to ``action``: the inverse of :meth:`to_sampling`.

        The result is exact up to rounding, except where a temperature was made greedy. An action
        outside the bounds gives a point outside [-1, 1].
        """
        return (
            _unit(action.temperature, self.temperature_min, self.temperature_max),
            _unit(
                action.repetition_penalty, self.repetition_penalty_min, self.repetition_penalty_max
            ),
        )


def _unit(value: float, low: float, high: float) -> float:
    return 0.0 if high == low else 2.0 * (value - low) / (high - low) - 1.0
