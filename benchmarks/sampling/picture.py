"""Picture of the sampling benchmark: accuracy over temperature, and over the penalty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.sampling.table import Row
from econ_agents.logging.plots import PlotError
from econ_agents.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ANSWER, _VOTE = "#0072B2", "#D55E00"  # of Okabe and Ito: distinguishable with any colour vision


def draw(title: str, rows: Sequence[Row], path: Path) -> Path:
    """Draw the figures of all settings as SVG, and return the path.

    Raises:
        PlotError: matplotlib is not installed.
    """
    # Without pyplot, whose figures are shared by the whole process, and without a display.
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError(
            f"the picture needs matplotlib: install it with pip install 'econ-env[train]' ({error})"
        ) from error
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    FigureCanvasSVG(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    _draw(left, [row for row in rows if row.repetition_penalty == 1], lambda row: row.temperature)
    left.set_xlabel("temperature T, at p = 1")
    left.set_ylabel("right, in % with 95% interval")
    # Penalties of one temperature make a line: that of most of them, if studies were added up.
    warm = Counter(row.temperature for row in rows if row.repetition_penalty != 1).most_common(1)
    _draw(
        right,
        [row for row in rows if row.temperature in dict(warm)],
        lambda row: row.repetition_penalty,
    )
    right.set_xlabel("repetition penalty p" + "".join(f", at T = {each:g}" for each, _ in warm))
    left.legend(frameon=False, loc="lower left")
    figure.suptitle(title, fontsize="medium")
    # The same results give the same bytes: the salt fixes the names inside the file.
    with rc_context({"svg.hashsalt": "sampling"}):
        figure.savefig(path, metadata={"Date": None})
    return path


def _draw(axes: Axes, rows: Sequence[Row], place: Callable[[Row], float]) -> None:
    series: tuple[tuple[str, str, Callable[[Row], Interval]], ...] = (
        ("one answer", _ANSWER, lambda row: row.answer),
        ("vote of the answers to a question", _VOTE, lambda row: row.vote),
    )
    apart = 0.004 * (max(map(place, rows), default=1) - min(map(place, rows), default=0))
    for side, (label, colour, figure_of) in zip((-1, 1), series, strict=True):
        found = [figure_of(row) for row in rows]
        axes.errorbar(
            [place(row) + side * apart for row in rows],
            [100 * each.mean for each in found],
            yerr=[
                [100 * max(each.mean - each.low, 0) for each in found],
                [100 * max(each.high - each.mean, 0) for each in found],
            ],
            color=colour,
            marker="o",
            capsize=2.5,
            elinewidth=1,
            label=label,
        )
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
