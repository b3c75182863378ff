"""Test of the effect of a setting on a model's texts, from few replies and with few errors.

A cell is one prompt with four replies: two under the first value of a setting and two under the
second, all with the same seed. If the setting has no effect, the four replies are interchangeable,
so each way to pair them is equally likely to separate them best. That is tested exactly, by trying
all three pairings in every cell. The test assumes nothing about the server: it serves for servers
that always repeat themselves exactly and for servers that never do. With the first kind every cell
with a difference counts, so four cells of five decide; with the second kind a difference is
compared with the noise between two equal requests.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["works", "none", "unclear"]

SURE = 0.0125
"""A setting works if less than this share of the pairings separate the replies as well: with five
cells that takes at least four that differ."""
UNLIKELY = 0.2
"""Share of pairings above which there is no sign of an effect."""
NOISY = 0.5
"""Mean distance between equal requests above which a small effect would not be seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Two replies under each of two values of a setting; prompt and seed are the same."""

    first: tuple[str, str]
    second: tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """Result of the test of a setting."""

    kind: Kind
    p_value: float
    """Share of all pairings that separate the replies at least as well as the true one."""
    cells: int
    changed: int
    """Cells in which a reply under one value differs from a reply under the other."""
    repeated: int
    """Pairs of equal requests with equal replies, out of ``2 * cells``."""
    noise: float
    """Mean distance between the replies to equal requests, in [0, 1]."""

    @property
    def count(self) -> str:
        """Number of cells with different texts, for people."""
        return f"on {self.changed} of {self.cells} questions"


def distance(one: str, other: str) -> float:
    """Return how early two texts differ: 0 if they are equal, 1 if they differ from the start."""
    if one == other:
        return 0.0
    pairs = enumerate(zip(one, other, strict=False))
    shared = next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
    return 1 - shared / max(len(one), len(other))


def judge(cells: Sequence[Cell], *, large: bool) -> Effect:
    """Judge the effect of the setting that distinguishes the two halves of every cell.

    Args:
        cells: at least one.
        large: the two values are so far apart that a working setting shows even if equal requests
            get different replies (temperature 0.1 against 2). Only then does the result "none"
            follow from noisy replies.
    """
    tables = [_pairings(cell) for cell in cells]
    observed = sum(table[0] for table in tables)
    sums = [sum(choice) for choice in itertools.product(*tables)]
    # Sums of the same numbers in another order may differ in the last bit.
    p_value = sum(value >= observed - 1e-9 for value in sums) / len(sums)
    within = [distance(*pair) for cell in cells for pair in (cell.first, cell.second)]
    noise = sum(within) / len(within)
    changed = sum({*cell.first, *cell.second} != {cell.first[0]} for cell in cells)
    kind: Kind = "unclear"
    if p_value <= SURE or (noise == 0 and changed > 1):
        # Replies that never vary by themselves show an effect in fewer cells.
        kind = "works"
    elif changed == 0 or (noise > 0 and p_value > UNLIKELY and (large or noise < NOISY)):
        kind = "none"
    return Effect(
        kind=kind,
        p_value=p_value,
        cells=len(cells),
        changed=changed,
        repeated=sum(value == 0 for value in within),
        noise=noise,
    )


def _pairings(cell: Cell) -> tuple[float, float, float]:
    """Return how well each pairing of the four replies separates them; the true one first."""
    (a, b), (c, d) = cell.first, cell.second
    apart = [
        distance(a, b) + distance(c, d),
        distance(a, c) + distance(b, d),
        distance(a, d) + distance(b, c),
    ]
    total = sum(apart)
    return (
        (total - apart[0]) / 2 - apart[0],
        (total - apart[1]) / 2 - apart[1],
        (total - apart[2]) / 2 - apart[2],
    )
