"""Numbers that stand for points of the action box, on a grid of equally spaced levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

DEFAULT_BINS = 5
"""Default number of levels of each coordinate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """A grid of ``bins`` levels of the temperature by ``bins`` of the repetition penalty.

    Number a means level ``a // bins`` of the temperature and ``a % bins`` of the penalty, each from
    -1 (the lowest) to 1 (the highest).

    Raises:
        ValueError: ``bins`` is not a whole number >= 2.
    """

    bins: int

    def __post_init__(self) -> None:
        if type(self.bins) is not int or self.bins < 2:
            raise ValueError(f"bins must be a whole number >= 2, got {self.bins!r}")

    @property
    def count(self) -> int:
        """Number of points of the grid, ``bins²``."""
        return self.bins**2

    def points(self, numbers: ArrayLike, shape: tuple[int, ...], what: str) -> NDArray[np.float64]:
        """The points (*shape, 2) in [-1, 1] for whole numbers of the given shape.

        Args:
            numbers: from 0 to ``count - 1``.
            shape: that they must have.
            what: words for them in an error.

        Raises:
            ValueError: they are not whole, have another shape, or leave the range.
        """
        found = np.asarray(numbers)
        if (
            found.dtype.kind not in "iu"
            or found.shape != shape
            or ((found < 0) | (found >= self.count)).any()
        ):
            raise ValueError(
                f"{what} must be whole numbers from 0 to {self.count - 1} of shape {shape}, "
                f"got {numbers!r}"
            )
        levels = np.linspace(-1.0, 1.0, self.bins)
        whole = found.astype(np.int64)
        return levels[np.stack([whole // self.bins, whole % self.bins], axis=-1)]
