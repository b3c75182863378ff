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
SMOOTHED_FROM = 12
"""Number of points from which a noisy curve is drawn as a running mean over a sixth of them."""
ALPHA_MOVES = 1e-4
"""Least change of a reward weight that is worth a figure."""
_COLUMNS = 3
"""Most panels beside each other."""

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
    unit: str
    """Name and unit of the y axis."""
    metrics: str
    """Regular expression for whole names of metrics; its group ``label`` names the curve."""
    limits: tuple[float, float] | None = None
    noisy: bool = True
    """True if long curves are smoothed."""
    scale: float = 1
    """Factor of the values, as for percent."""
    aim: float | None = None
    """Value to compare with, drawn as a horizontal line."""
    labels: Mapping[str, str] | None = None
    """Labels to show for the labels found, in the order of the curves; others follow unchanged."""


_ALPHA_LABELS = {"ts": "TS: task", "al": "AL: likelihood", "cc": "CC: collaboration"}
_FIGURES: Mapping[str, tuple[_Panel, ...]] = {
    "rewards": (
        _Panel(
            title="Reward",
            unit="reward per episode",
            metrics=r"collection/(?P<label>team_reward|reward_mean)",
            labels={"team_reward": "team", "reward_mean": "mean of the agents"},
        ),
        _Panel(
            title="Components of the reward",
            unit="component, from 0 to 1",
            metrics=r"collection/(?P<label>ts|al|cc)",
            limits=(0, 1),
            labels=_ALPHA_LABELS,
        ),
    ),
    "accuracy": (
        _Panel(
            title="Accuracy",
            unit="right answers, % of questions",
            metrics=r"(?P<label>collection|eval)/accuracy",
            limits=(0, 100),
            scale=100,
            labels={"collection": "while training", "eval": "evaluation"},
        ),
    ),
    "alpha": (
        _Panel(
            title="Weights of the reward, α",
            unit="weight",
            metrics=r"train/alpha_(?P<label>ts|al|cc)",
            limits=(0, 1),
            noisy=False,
            labels=_ALPHA_LABELS,
        ),
    ),
    "stopping": (
        _Panel(
            title="Change of the commitments",
            unit="1 − cosine, on the probe questions",
            metrics=r"stopping/(?P<label>commitment_change)",
            labels={"commitment_change": ""},
        ),
        _Panel(
            title="Change of the loss",
            unit="change of the smoothed loss",
            metrics=r"stopping/(?P<label>loss_change)",
            labels={"loss_change": ""},
        ),
        _Panel(
            title="Reward per decision",
            unit="reward per decision, smoothed",
            metrics=r"stopping/(?P<label>reward_per_decision)",
            labels={"reward_per_decision": ""},
        ),
        _Panel(
            title="Metric of early stopping",
            unit="early_stopping.metric, smoothed",
            metrics=r"stopping/(?P<label>metric)",
            labels={"metric": ""},
        ),
    ),
    "nash_conv": (
        _Panel(
            title="NashConv",
            unit="gain of deviating, reward per episode",
            metrics=r"eval/(?P<label>nash_conv)",
            aim=0.0,
            labels={"nash_conv": ""},
        ),
    ),
}
_ACTION = re.compile(r"collection/(?P<part>[^/]+)/.+")
_KNOWN_PARTS = {
    "temperature": ("Temperature T", "mean temperature"),
    "repetition_penalty": ("Repetition penalty p", "mean penalty, 1 is neutral"),
}
_LOSS = re.compile(r"train/loss_(?P<name>.+)")
_UPDATED = "train/loss_total"


def plot_run(log_dir: Path) -> list[Path]:
    """Draw the metrics of the run in ``log_dir``.

    Figures are ``rewards``, ``accuracy``, ``alpha`` (if the weights move), ``stopping`` (what early
    stopping compared), ``nash_conv``, ``actions`` (T and p of every agent, or the coordinates that
    the environment names) and ``losses``, one panel each.

    Returns:
        The files, ``<log_dir>/plots/<figure>.png``, without figures that have no metrics.

    Raises:
        MetricsError: there are no metrics, or they are damaged.
        PlotError: matplotlib is not installed.
    """
    curves = _curves(read_metrics(log_dir))
    begin = curves[_UPDATED][0][0] if _UPDATED in curves else 0.0
    figures = {**_FIGURES, "actions": _action_panels(curves), "losses": _loss_panels(curves)}
    files = []
    for name, panels in figures.items():
        drawn = [(panel, own) for panel in panels if (own := _of(panel, curves))]
        if name == "alpha" and not any(_moves(own) for _, own in drawn):
            continue
        if drawn:
            files.append(_draw(log_dir / FOLDER / f"{name}.png", drawn, begin))
    return files


def _moves(curves: Curves) -> bool:
    return any(np.ptp(values) > ALPHA_MOVES for _, values in curves.values())


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
        match.group("label"): (steps, panel.scale * values)
        for name, (steps, values) in curves.items()
        if (match := re.fullmatch(panel.metrics, name))
    }
    labels = panel.labels or {}
    order = [*(label for label in labels if label in found), *(x for x in found if x not in labels)]
    return {labels.get(label, label): found[label] for label in order}


def _action_panels(curves: Curves) -> tuple[_Panel, ...]:
    """Panels for the coordinates of the actions, under the names that the environment gives."""
    matches = (_ACTION.fullmatch(name) for name in curves)
    parts = dict.fromkeys(match["part"] for match in matches if match)
    return tuple(_action_panel(part) for part in parts)


def _action_panel(part: str) -> _Panel:
    named = (part.replace("_", " ").capitalize(), f"mean {part.replace('_', ' ')}")
    title, unit = _KNOWN_PARTS.get(part, named)
    return _Panel(
        title=title,
        unit=unit,
        metrics=rf"collection/{re.escape(part)}/(?P<label>.+)",
        # Coordinates without a name lie in [-1, 1].
        limits=(-1, 1) if re.fullmatch(r"action_\d+", part) else None,
    )


def _loss_panels(curves: Curves) -> tuple[_Panel, ...]:
    """One panel for every loss: their sizes have nothing in common."""
    matches = (_LOSS.fullmatch(name) for name in curves)
    return tuple(
        _Panel(
            title=match["name"].replace("_", " "),
            unit="loss, without its weight",
            metrics=rf"train/loss_{re.escape(match['name'])}(?P<label>)",
        )
        for match in matches
        if match
    )


def _draw(path: Path, panels: list[tuple[_Panel, Curves]], begin: float) -> Path:
    """Draw a figure, with the episodes before the first update, at ``begin``, shaded."""
    # pyplot is avoided: its figures are shared by the whole process, and it may need a display.
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError(
            "plots need matplotlib: install it with pip install 'econ-env[train]', or set "
            f"logging.plots=false ({error})"
        ) from error
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5.6 * columns, 4.2 * rows), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, (panel, curves) in zip(axes, panels, strict=False):
        _draw_panel(axis, panel, curves, begin)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    path.parent.mkdir(exist_ok=True)
    canvas.print_figure(path, format="png", dpi=DOTS_PER_INCH)
    return path


def _draw_panel(axis: Axes, panel: _Panel, curves: Curves, begin: float) -> None:
    first = min(float(steps[0]) for steps, _ in curves.values())
    if first < begin:
        axis.axvspan(0, begin, color="0.93", linewidth=0, label="warm-up")
    for (label, (steps, values)), (colour, line) in zip(curves.items(), _styles(), strict=False):
        bold = values
        if smoothed := panel.noisy and len(values) >= SMOOTHED_FROM:
            axis.plot(steps, values, color=colour, alpha=0.25, linestyle="", marker=".")
            bold = _running_mean(values, max(3, len(values) // 6) | 1)
        axis.plot(
            steps,
            bold,
            color=colour,
            linestyle=line,
            linewidth=1.8,
            marker=None if smoothed else "o",
            markersize=3.5,
            label=label or None,
        )
    if panel.aim is not None:
        axis.axhline(panel.aim, color="0.5", linewidth=1.0)
    axis.set_title(panel.title)
    axis.set_xlabel("training episodes")
    axis.set_ylabel(panel.unit)
    if panel.limits is not None:
        low, high = panel.limits
        margin = 0.02 * (high - low)
        axis.set_ylim(low - margin, high + margin)
    axis.grid(color="0.9")
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


def _styles() -> Iterator[tuple[str, str]]:
    """Yield all colours with one line style, then with the next: 32 pairs before one repeats."""
    while True:
        for line in _LINES:
            for colour in _COLOURS:
                yield colour, line


def _running_mean(values: Array, width: int) -> Array:
    """Mean of the ``width`` (odd) values around every value, or of fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    begins = np.maximum(places - width // 2, 0)
    ends = np.minimum(places + width // 2 + 1, len(values))
    means: Array = (sums[ends] - sums[begins]) / (ends - begins)
    return means
