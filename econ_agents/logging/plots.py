"""Plots of a run's curves as PNG files: the charts of its page, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from econ_agents.errors import EconAgentsError
from econ_agents.logging.curves import RunCurves
from econ_pages.charts import Chart, Level, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = "plots"
DOTS_PER_INCH = 120
COLUMNS = 3
"""Most charts beside each other."""

FIGURES: Mapping[str, Callable[[RunCurves], list[Chart]]] = MappingProxyType(
    {
        "rewards": RunCurves.rewards,
        "accuracy": RunCurves.accuracy,
        "alpha": RunCurves.weights,
        "stopping": RunCurves.stopping,
        "nash_conv": RunCurves.nash_conv,
        "actions": RunCurves.actions,
        "losses": RunCurves.losses,
    }
)
"""Charts of every figure, by its name."""

_Dash: TypeAlias = str | tuple[int, tuple[float, ...]]

# Colours and dashes of the page in its light scheme (econ_pages/assets/page.css).
COLOURS = "#0072b2 #d55e00 #009e73 #b8588f #b87a00 #2f93c9 #1d2025 #808080".split()
"""Colours of curves, Okabe and Ito's, which people with any colour vision can tell apart."""
_DASHES: tuple[_Dash, ...] = ("-", (0, (3.5, 2)), (0, (1, 1.5)), (0, (4.5, 1.5, 1, 1.5)))
_LEVELS: tuple[tuple[str, _Dash], ...] = (
    (COLOURS[2], (0, (5, 2.5))),
    (COLOURS[1], (0, (2, 2))),
    (COLOURS[3], (0, (5.5, 2, 1.5, 2))),
)
_DIM, _GRID = "#5f6670", "#dfe2e6"


class PlotError(EconAgentsError):
    """Plots cannot be drawn: matplotlib is missing."""


def plot_run(curves: RunCurves, log_dir: Path) -> list[Path]:
    """Draw the curves of a run.

    Figures are ``rewards``, ``accuracy``, ``alpha`` (if the weights move), ``stopping`` (what early
    stopping compared), ``nash_conv``, ``actions`` (T and p of every agent, or the coordinates that
    the environment names) and ``losses``, one chart each.

    Args:
        curves: curves of the run.
        log_dir: folder of the run.

    Returns:
        The files, ``<log_dir>/plots/<figure>.png``, without figures that have no metrics.

    Raises:
        PlotError: matplotlib is not installed.
    """
    figures = ((name, charts_of(curves)) for name, charts_of in FIGURES.items())
    return [_draw(log_dir / FOLDER / f"{name}.png", charts) for name, charts in figures if charts]


def _draw(path: Path, charts: Sequence[Chart]) -> Path:
    """Draw a figure."""
    # pyplot is avoided: its figures are shared by the whole process, and it may need a display.
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise PlotError(
            "plots need matplotlib: install it with pip install 'econ-env[train]', or set "
            f"logging.plots=false ({error})"
        ) from error
    columns = min(len(charts), COLUMNS)
    rows = -(-len(charts) // columns)
    # Room for the label of an axis above the title of the one below.
    layout = ConstrainedLayoutEngine(h_pad=0.12)
    figure = Figure(figsize=(5.6 * columns, 4.2 * rows), layout=layout)
    canvas = FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, chart in zip(axes, charts, strict=False):
        _draw_chart(axis, chart)
    for axis in axes[len(charts) :]:
        axis.set_visible(False)
    path.parent.mkdir(exist_ok=True)
    canvas.print_figure(path, format="png", dpi=DOTS_PER_INCH)
    return path


def _draw_chart(axis: Axes, chart: Chart) -> None:
    """Draw curves, levels, spans and box, in the order of the chart's legend."""
    for series, (colour, dash) in zip(chart.series, _styles(len(chart.series)), strict=True):
        _draw_series(axis, series, colour, dash)
    for i, level in enumerate(chart.levels):
        _draw_level(axis, level, *_LEVELS[i % len(_LEVELS)])
    for span in chart.spans:
        axis.axvspan(
            span.start, span.end, color=_DIM, alpha=0.16, linewidth=0, zorder=0.5, label=span.label
        )
    for i, bound in enumerate(chart.box or ()):
        # Both lines are one thing.
        label = "" if i else "range allowed"
        axis.axhline(bound, color=_DIM, linewidth=1, linestyle=(0, (2, 3)), label=label)
    axis.set_title(chart.title)
    axis.set_xlabel(chart.x_label)
    axis.set_ylabel(chart.y_label)
    axis.margins(x=0, y=0.04)
    if chart.limits is not None:
        axis.set_ylim(chart.limits)
    axis.grid(color=_GRID)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axis.get_legend_handles_labels()
    if labels:
        # Below the axis, where no data are.
        axis.legend(
            handles,
            labels,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.17),
            frameon=False,
            fontsize="small",
            ncols=2 if len(labels) == 4 else 3,
        )


def _draw_series(axis: Axes, series: Series, colour: str, dash: _Dash) -> None:
    axis.plot(
        series.x,
        series.y,
        color=colour,
        linestyle=dash,
        linewidth=1.8,
        # Without points behind it, the curve's own places are the measurements.
        marker=None if series.points else "o",
        markersize=3.5,
        label=series.label or None,
        # Whole at the ends of the axis, too.
        clip_on=False,
    )
    if series.points:
        axis.plot(
            series.x,
            series.points,
            color=colour,
            alpha=0.35,
            linestyle="",
            marker=".",
            clip_on=False,
        )
    if series.low and series.high:
        axis.fill_between(series.x, series.low, series.high, color=colour, alpha=0.16, linewidth=0)


def _draw_level(axis: Axes, level: Level, colour: str, dash: _Dash) -> None:
    axis.axhline(level.y, color=colour, linewidth=1.6, linestyle=dash, label=level.label or None)
    if level.low is not None and level.high is not None:
        axis.axhspan(level.low, level.high, color=colour, alpha=0.1, linewidth=0)


def _styles(count: int) -> list[tuple[str, _Dash]]:
    """Colour and dash of every curve: all colours with one dash, then with the next."""
    every = [(colour, dash) for dash in _DASHES for colour in COLOURS]
    return [every[i % len(every)] for i in range(count)]
