"""Infos in Gymnasium's vector format.

Every key holds an array whose first axis is the environments, and ``_key`` a mask of the
environments that have the key. The array is zero where the mask is false.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


def with_masks(info: Mapping[str, NDArray[Any]], rows: Flags) -> dict[str, Any]:
    """``info`` with a mask for every array, true for ``rows``."""
    masks = {f"_{key}": rows.copy() for key in info}
    return {**info, **masks}


def rows_of(info: Mapping[str, NDArray[Any]], rows: Flags) -> dict[str, NDArray[Any]]:
    """Copies of the arrays with zeros outside of ``rows``."""
    kept = {}
    for key, values in info.items():
        kept[key] = values.copy()
        kept[key][~rows] = 0
    return kept


def final_infos(
    observations: Iterable[Any], info: Mapping[str, NDArray[Any]], rows: Flags
) -> dict[str, Any]:
    """``final_obs`` and ``final_info`` of the environments whose episode ended; {} for none.

    Args:
        observations: last observation of every environment, in order.
        info: last infos of the environments.
        rows: the environments whose episode ended.
    """
    if not rows.any():
        return {}
    last = np.full(len(rows), None, dtype=object)
    for index, observation in enumerate(observations):
        if rows[index]:
            last[index] = observation
    info_of_ended = with_masks(rows_of(info, rows), rows)
    return {
        "final_obs": last,
        "_final_obs": rows.copy(),
        "final_info": info_of_ended,
        "_final_info": rows.copy(),
    }


if TYPE_CHECKING:
    from gymnasium.vector import AutoresetMode
else:
    try:
        from gymnasium.vector import AutoresetMode
    except ImportError:  # gymnasium 1.0, whose vector environments have NEXT_STEP only

        class AutoresetMode(Enum):
            """The modes of Gymnasium 1.1 and later, under the same names and values."""

            NEXT_STEP = "NextStep"
            SAME_STEP = "SameStep"
            DISABLED = "Disabled"


__all__ = ["AutoresetMode", "parse_autoreset_mode", "rows_to_reset"]


def parse_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    """The mode with the value ``mode``, such as ``"NextStep"``; ``ValueError`` if none has it."""
    try:
        return AutoresetMode(mode)
    except ValueError:
        known = ", ".join(repr(item.value) for item in AutoresetMode)
        raise ValueError(f"autoreset_mode must be one of {known}, got {mode!r}") from None


def rows_to_reset(options: Mapping[str, Any] | None, num_envs: int) -> NDArray[np.bool_]:
    """Mask of the environments that a ``reset`` with these options resets, shape (num_envs,).

    Raises:
        ValueError: the option ``"reset_mask"`` is not such a mask, or selects no environment.
    """
    if options is None or "reset_mask" not in options:
        return np.ones(num_envs, dtype=np.bool_)
    mask = np.asarray(options["reset_mask"])
    if mask.dtype != np.bool_ or mask.shape != (num_envs,) or not mask.any():
        raise ValueError(
            f'options["reset_mask"] must be {num_envs} booleans, at least one of them true; '
            f"got {options['reset_mask']!r}"
        )
    return mask.copy()
