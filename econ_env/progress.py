"""A progress bar for work that may take long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

DELAY_S = 2.0
"""Seconds after which the bar appears; shorter work shows none."""

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], *, description: str, unit: str, total: int | None = None
) -> Iterator[Item]:
    """Yield ``items``, with a bar on stderr once that takes longer than :data:`DELAY_S`.

    No bar is shown if stderr is not a terminal. ``total`` is the number of items; None: unknown.
    """
    bar = tqdm(
        items,
        desc=description,
        unit=unit,
        total=total,
        delay=DELAY_S,
        disable=None,
        leave=False,
    )
    return iter(bar)
