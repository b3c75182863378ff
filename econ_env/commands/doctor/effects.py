"""Does a setting change what a model says? Decided from a few replies, and rarely wrongly.

A cell is one prompt with four replies: two under the first value of a setting and two under the
second, all with the same seed. If the setting does nothing, the four are interchangeable, so
whichever two stand together should not matter. That is tested exactly, by trying all three ways
to pair the four in every cell. It needs no assumption about the server: one that repeats itself to
the letter and one that never does are judged by the same rule. On the first kind every cell with
a difference counts, so four cells of five decide; on the second kind the noise between two equal
requests is what a difference is measured against.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["works", "none", "unclear"]

SURE = 0.0125
"""A setting works where fewer than this share of the pairings separate as well: with five cells
that takes at least four that differ."""
UNLIKELY = 0.2
"""Above this share nothing speaks for the setting."""
NOISY = 0.5
"""Mean distance between equal requests above which a small effect would drown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Two replies under each of two values of a setting; prompt and seed are the same."""

    first: tuple[str, str]
    second: tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """What the cells say about a setting."""

    kind: Kind
    p_value: float
    """Share of all pairings that separate the replies at least as well as the true one."""
    cells: int
    changed: int
    """Cells in which some reply under one value differs from some reply under the other."""
    repeated: int
    """Pairs of equal requests that got equal replies, of ``2 * cells``."""
    noise: float
    """Mean distance between the replies to equal requests, in [0, 1]."""

    @property
    def count(self) -> str:
        """In how many cells texts differ, for people."""
        return f"on {self.changed} of {self.cells} questions"


def distance(one: str, other: str) -> float:
    """How early two texts part: 0 if they are equal, 1 if they differ from the start."""
    if one == other:
        return 0.0
    pairs = enumerate(zip(one, other, strict=False))
    shared = next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
    return 1 - shared / max(len(one), len(other))


def judge(cells: Sequence[Cell], *, large: bool) -> Effect:
    """Whether the setting that separates the cells' replies does anything.

    Args:
        cells: at least one.
        large: the two values are so far apart that a working setting shows even where equal
            requests get different replies (temperature 0.1 against 2). Only then is "none"
            concluded from noisy replies.
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
        # Replies that never vary by themselves prove an effect in fewer cells.
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
    """How well each way to pair the four replies separates them; the true one comes first."""
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
