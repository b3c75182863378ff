"""Progress of work that may take long: a bar on a terminal, else lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

DELAY_S = 2.0
"""Seconds after which the bar appears; shorter work shows none."""
LINE_INTERVAL_S = 10.0
"""Seconds between two lines if stderr is not a terminal."""

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], *, description: str, unit: str, total: int | None = None
) -> Iterator[Item]:
    """Yield ``items``, and show on stderr how many there were, if that takes long.

    ``total`` is the number of items; None: unknown.
    """
    if not sys.stderr.isatty():
        return _with_lines(items, description, unit, "" if total is None else f" of {total}")
    bar = tqdm(items, desc=description, unit=unit, total=total, delay=DELAY_S, leave=False)
    return iter(bar)


def _with_lines(
    items: Iterable[Item], description: str, unit: str, of_total: str
) -> Iterator[Item]:
    said = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        if time.monotonic() - said >= LINE_INTERVAL_S:
            said = time.monotonic()
            print(f"{description}: {number}{of_total} {unit}s", file=sys.stderr, flush=True)
