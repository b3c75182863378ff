"""Plots of a run's curves as PNG files, drawn from its metrics alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from econ_agents.errors import EconAgentsError
from econ_agents.logging.metrics_log import read_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = "plots"
DOTS_PER_INCH = 120
SMOOTHED_FROM = 40
"""Number of points from which a noisy curve is drawn as a running mean over a twentieth of them."""

Array: TypeAlias = npt.NDArray[np.float64]
Curves: TypeAlias = Mapping[str, tuple[Array, Array]]

# Okabe and Ito's colours, which people with any colour vision can tell apart.
_COLOURS = "#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #56B4E9 #000000 #999999".split()
_LINES = ("-", "--", ":", "-.")


class PlotError(EconAgentsError):
    """Plots cannot be drawn: matplotlib is missing."""


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """One panel of a figure: the metrics to draw, and its title, limits and labels."""

    title: str
    metrics: str
    """Regular expression for whole names of metrics; its group ``label`` names the curve."""
    limits: tuple[float, float] | None = None
    noisy: bool = True
    """True if long curves are smoothed."""
    aim: float | None = None
    """Value to compare with, drawn as a horizontal line."""
    labels: Mapping[str, str] | None = None
    """Labels to show for the labels found, in the order of the curves; others follow unchanged."""


_ALPHA_LABELS = {"ts": "TS: task", "al": "AL: likelihood", "cc": "CC: collaboration"}
_FIGURES: Mapping[str, tuple[_Panel, ...]] = {
    "rewards": (
        _Panel(
            title="Reward",
            metrics=r"collection/(?P<label>team_reward|reward_mean)",
            labels={"team_reward": "team", "reward_mean": "mean of the agents"},
        ),
        _Panel(
            title="Reward components",
            metrics=r"collection/(?P<label>ts|al|cc)",
            limits=(0, 1),
            labels=_ALPHA_LABELS,
        ),
    ),
    "accuracy": (
        _Panel(
            title="Accuracy",
            metrics=r"(?P<label>collection|eval)/accuracy",
            limits=(0, 1),
            labels={"collection": "while training", "eval": "evaluation"},
        ),
    ),
    "sampling": (
        _Panel(title="Temperature T", metrics=r"collection/temperature/(?P<label>.+)"),
        _Panel(
            title="Repetition penalty p", metrics=r"collection/repetition_penalty/(?P<label>.+)"
        ),
    ),
    "alpha": (
        _Panel(
            title="Reward weights α",
            metrics=r"train/alpha_(?P<label>ts|al|cc)",
            limits=(0, 1),
            noisy=False,
            labels=_ALPHA_LABELS,
        ),
    ),
    "losses": (_Panel(title="Losses", metrics=r"train/loss_(?P<label>.+)"),),
    "stopping": (
        _Panel(
            title="Change of the commitments",
            metrics=r"stopping/(?P<label>commitment_change)",
            labels={"commitment_change": "on the probe questions"},
        ),
        _Panel(
            title="Change of the loss",
            metrics=r"stopping/(?P<label>loss_change)",
            labels={"loss_change": "smoothed"},
        ),
        _Panel(
            title="Reward per decision",
            metrics=r"stopping/(?P<label>reward_per_decision)",
            labels={"reward_per_decision": "smoothed"},
        ),
        _Panel(
            title="Metric of early stopping",
            metrics=r"stopping/(?P<label>metric)",
            labels={"metric": "smoothed"},
        ),
    ),
    "nash_conv": (
        _Panel(
            title="NashConv",
            metrics=r"eval/(?P<label>nash_conv)",
            aim=0.0,
            labels={"nash_conv": ""},
        ),
    ),
}
_ACTION = re.compile(r"collection/action_(\d+)/.+")


def plot_run(log_dir: Path) -> list[Path]:
    """Draw the metrics of the run in ``log_dir``.

    Figures are ``rewards``, ``accuracy``, ``sampling`` (T and p of every agent, or the coordinates
    of its action if these have other names), ``alpha``, ``losses``, ``stopping`` (what early
    stopping compared) and ``nash_conv``.

    Returns:
        The files, ``<log_dir>/plots/<figure>.png``, without figures that have no metrics.

    Raises:
        MetricsError: there are no metrics, or they are damaged.
        PlotError: matplotlib is not installed.
    """
    curves = _curves(read_metrics(log_dir))
    files = []
    for name, panels in _FIGURES.items():
        if name == "sampling" and not any(_of(panel, curves) for panel in panels):
            panels = _action_panels(curves)
        drawn = [(panel, own) for panel in panels if (own := _of(panel, curves))]
        if drawn:
            files.append(_draw(log_dir / FOLDER / f"{name}.png", drawn))
    return files


def _curves(lines: list[dict[str, float]]) -> Curves:
    """Steps and values of every metric, in the order of first appearance."""
    points: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        for name, value in line.items():
            points.setdefault(name, []).append((line["step"], value))
    tables = {name: np.array(pairs, dtype=np.float64) for name, pairs in points.items()}
    return {name: (table[:, 0], table[:, 1]) for name, table in tables.items()}


def _of(panel: _Panel, curves: Curves) -> Curves:
    """Curves of ``panel``, by the label shown."""
    found = {
        match.group("label"): curve
        for name, curve in curves.items()
        if (match := re.fullmatch(panel.metrics, name))
    }
    labels = panel.labels or {}
    order = [*(label for label in labels if label in found), *(x for x in found if x not in labels)]
    return {labels.get(label, label): found[label] for label in order}


def _action_panels(curves: Curves) -> tuple[_Panel, ...]:
    """Panels for the coordinates of the actions, which lie in [-1, 1]."""
    matches = (_ACTION.fullmatch(name) for name in curves)
    coordinates = sorted({int(match.group(1)) for match in matches if match})
    return tuple(
        _Panel(
            title=f"Action coordinate {coordinate}",
            metrics=rf"collection/action_{coordinate}/(?P<label>.+)",
            limits=(-1, 1),
        )
        for coordinate in coordinates
    )


def _draw(path: Path, panels: list[tuple[_Panel, Curves]]) -> Path:
    # pyplot is avoided: its figures are shared by the whole process, and it may need a display.
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError(
            "plots need matplotlib: install it with pip install 'econ-env[train]', or set "
            f"logging.plots=false ({error})"
        ) from error
    figure = Figure(figsize=(6.4 * len(panels), 4.0), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (panel, curves) in zip(axes, panels, strict=True):
        _draw_panel(axis, panel, curves)
    path.parent.mkdir(exist_ok=True)
    canvas.print_figure(path, format="png", dpi=DOTS_PER_INCH)
    return path


def _draw_panel(axis: Axes, panel: _Panel, curves: Curves) -> None:
    for (label, (steps, values)), (colour, line) in zip(curves.items(), _styles(), strict=False):
        bold = values
        if panel.noisy and len(values) >= SMOOTHED_FROM:
            axis.plot(steps, values, color=colour, alpha=0.2, linewidth=0.8)
            bold = _running_mean(values, len(values) // 20)
        axis.plot(
            steps,
            bold,
            color=colour,
            linestyle=line,
            linewidth=1.8,
            marker="o" if len(values) < SMOOTHED_FROM else None,
            markersize=3.5,
            label=label,
        )
    if panel.aim is not None:
        axis.axhline(panel.aim, color="0.5", linewidth=1.0)
    axis.set_title(panel.title)
    axis.set_xlabel("step")
    if panel.limits is not None:
        low, high = panel.limits
        margin = 0.02 * (high - low)
        axis.set_ylim(low - margin, high + margin)
    axis.grid(color="0.9")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    if any(curves):
        axis.legend(frameon=False, fontsize="small", ncols=1 + len(curves) // 7)


def _styles() -> Iterator[tuple[str, str]]:
    """Yield all colours with one line style, then with the next: 32 pairs before one repeats."""
    while True:
        for line in _LINES:
            for colour in _COLOURS:
                yield colour, line


def _running_mean(values: Array, width: int) -> Array:
    """Mean of every value and the ``width - 1`` values before it, or fewer at the beginning."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - width, 0)
    means: Array = (sums[ends] - sums[begins]) / (ends - begins)
    return means
