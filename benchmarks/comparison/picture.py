"""A comparison as a picture: accuracy against tokens, one point and interval per method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.comparison.findings import Comparison
from benchmarks.comparison.table import heading, share
from econ_agents.logging.plots import PlotError
from econ_agents.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "comparison"
"""Name of the files, without their endings."""
DOTS_PER_INCH = 150
LOGARITHMIC_FROM = 4.0
"""Ratio of most to fewest tokens from which the token axis is logarithmic."""

_APART = 0.022
"""Smallest distance of two points, as a share of the axis; keeps intervals from overlapping."""
_MARGIN = 0.08
"""Share of the axis that stays free on each side."""
_LONGEST_NAME = 40

# Okabe and Ito's colours, distinguishable with any colour vision; without yellow, which is faint on
# white. All settings of a method share a colour and differ in their markers.
_ECON, _COLOUR_OF_ECON = "econ", "#D55E00"
_COLOURS = "#0072B2 #009E73 #CC79A7 #E69F00 #56B4E9 #000000 #888888".split()
_MARKERS = "o s ^ D v P X < > * p".split()


@dataclass(frozen=True, kw_only=True)
class Point:
    """Position of a method in the picture."""

    method: str
    tokens: float
    """Mean tokens per question; at least 1, so that the logarithm exists."""
    accuracy: Interval
    target: bool
    """True if other methods were matched to its tokens."""


def draw(comparison: Comparison, folder: Path) -> list[Path]:
    """Draw the methods that have results, as PNG and as SVG.

    Returns:
        The two files; none if no method has results.

    Raises:
        PlotError: matplotlib is not installed.
    """
    points = points_of(comparison)
    if not points:
        return []
    # Without pyplot, whose figures are shared by the whole process, and without a display.
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError(
            f"the picture needs matplotlib: install it with pip install 'econ-env[train]' ({error})"
        ) from error
    figure = Figure(figsize=(9.6, max(4.8, 1.4 + 0.27 * len(points))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _draw(axes, points)
    figure.suptitle(heading(comparison)[0], fontsize="medium")
    folder.mkdir(parents=True, exist_ok=True)
    png, svg = folder / f"{NAME}.png", folder / f"{NAME}.svg"
    figure.savefig(png, dpi=DOTS_PER_INCH)
    # The same comparison gives the same bytes: the salt fixes the names inside the file, and
    # the date is left out.
    with rc_context({"svg.hashsalt": NAME}):
        figure.savefig(svg, metadata={"Date": None})
    return [png, svg]


def points_of(comparison: Comparison) -> list[Point]:
    """Return the methods with results, in the comparison's order."""
    return [
        Point(
            method=report.method,
            tokens=max(report.spending.tokens, 1.0),
            accuracy=report.accuracy.overall,
            target=report.method == comparison.about.budget_target,
        )
        for report in comparison.methods
        if report.accuracy is not None and report.spending is not None
    ]


def spread(positions: Sequence[float], apart: float) -> list[float]:
    """Set positions that are too near each other side by side, around their mean.

    Returns:
        The new positions, in the given order: no two nearer than ``apart``, moved as little as
        possible.
    """
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    # Groups of neighbours with their centre; a group that comes too near the next is joined to it.
    groups: list[tuple[list[int], float]] = []
    for index in order:
        group, centre = [index], positions[index]
        while groups and _end(groups[-1], apart) + apart > centre - (len(group) - 1) * apart / 2:
            before, _ = groups.pop()
            group = before + group
            centre = sum(positions[member] for member in group) / len(group)
        groups.append((group, centre))
    moved = [0.0] * len(positions)
    for group, centre in groups:
        for place, member in enumerate(group):
            moved[member] = centre + (place - (len(group) - 1) / 2) * apart
    return moved


def _end(group: tuple[list[int], float], apart: float) -> float:
    members, centre = group
    return centre + (len(members) - 1) * apart / 2


def _draw(axes: Axes, points: Sequence[Point]) -> None:
    tokens = [point.tokens for point in points]
    logarithmic = max(tokens) / min(tokens) >= LOGARITHMIC_FROM
    low, high = _limits(tokens, logarithmic=logarithmic)
    places = spread([_place(value, low, high, logarithmic) for value in tokens], _APART)
    left, right = (
        _value(place, low, high, logarithmic)
        for place in (min(0.0, min(places) - _APART), max(1.0, max(places) + _APART))
    )
    if logarithmic:
        axes.set_xscale("log")
    axes.set_xlim(left, right)
    _ticks(axes, left, right, logarithmic=logarithmic)
    axes.set_xlabel(
        "tokens per question (prompt and completion); what would cover each other stands side by "
        "side",
        fontsize="small",
    )
    axes.set_ylabel("accuracy in %, with 95% interval", fontsize="small")
    styles = _styles([point.method for point in points])
    # Drawn, and so listed, by accuracy: the list has the order of the points.
    for index in sorted(range(len(points)), key=lambda index: -points[index].accuracy.mean):
        place = _value(places[index], low, high, logarithmic)
        _draw_point(axes, points[index], place, styles[index])
    for point in points:
        if point.target:
            _mark_budget(axes, point)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        fontsize="small",
        title="accuracy in %",
        title_fontsize="small",
        alignment="left",
    )


def _styles(methods: Sequence[str]) -> list[dict[str, Any]]:
    names = [method.partition(":")[0] for method in methods]
    # ECON always has the strongest colour, wherever it stands in the list.
    others = [name for name in dict.fromkeys(names) if name != _ECON]
    colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(others)}
    colours[_ECON] = _COLOUR_OF_ECON
    return [
        {"color": colours[name], "marker": _MARKERS[index % len(_MARKERS)]}
        for index, name in enumerate(names)
    ]


def _mark_budget(axes: Axes, target: Point) -> None:
    """Draw a line at the tokens that other methods were matched to."""
    axes.axvline(target.tokens, color="0.5", linewidth=0.9, linestyle=":", zorder=0)
    axes.annotate(
        f"budget of {target.method}",
        (target.tokens, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        horizontalalignment="center",
        fontsize="small",
        color="0.35",
    )


def _draw_point(axes: Axes, point: Point, place: float, style: dict[str, Any]) -> None:
    mean, low, high = (
        100 * value for value in (point.accuracy.mean, point.accuracy.low, point.accuracy.high)
    )
    name = point.method
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    axes.errorbar(
        place,
        mean,
        yerr=[[max(mean - low, 0.0)], [max(high - mean, 0.0)]],
        linestyle="none",
        markersize=11 if style["marker"] == "*" else 8,
        markeredgecolor="white",
        markeredgewidth=0.7,
        elinewidth=1.3,
        capsize=2.5,
        label=f"{share(point.accuracy.mean)}  {name}",
        **style,
    )


def _limits(tokens: Sequence[float], *, logarithmic: bool) -> tuple[float, float]:
    if not logarithmic:
        margin = _MARGIN * max(tokens)
        return max(0.0, min(tokens) - margin), max(tokens) + margin
    factor = (max(tokens) / min(tokens)) ** _MARGIN
    return min(tokens) / factor, max(tokens) * factor


def _place(value: float, low: float, high: float, logarithmic: bool) -> float:
    """Return the place of a value on the axis, from 0 to 1."""
    if logarithmic:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _value(place: float, low: float, high: float, logarithmic: bool) -> float:
    """Return the value at a place: the inverse of :func:`_place`."""
    return low * (high / low) ** place if logarithmic else low + place * (high - low)


def _ticks(axes: Axes, low: float, high: float, *, logarithmic: bool) -> None:
    """Set ticks at plain numbers; powers of ten alone would leave most axes with one tick."""
    from matplotlib.ticker import NullLocator, StrMethodFormatter

    if logarithmic:
        steps = [step * 10**power for power in range(9) for step in (1, 2, 5)]
        axes.set_xticks([step for step in steps if low <= step <= high])
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
