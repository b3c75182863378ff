"""A run is drawn from its metrics: what was measured, as it was measured, and nothing else."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from econ_agents.logging import plots
from econ_agents.logging.curves import RunCurves
from econ_agents.logging.metrics_log import JSONL, MetricsError, read_metrics
from econ_agents.logging.plots import PlotError, plot_run
from econ_pages.charts import Chart, Level, Series, Span

PNG = b"\x89PNG\r\n\x1a\n"


def record(folder: Path, lines: Iterable[dict[str, float]]) -> Path:
    text = "".join(json.dumps({"step": step, **line}) + "\n" for step, line in enumerate(lines, 1))
    (folder / JSONL).write_text(text)
    return folder


def econ_line(step: int) -> dict[str, float]:
    """Metrics of a run on a question game."""
    agents = [f"executor_{index}" for index in range(3)]
    line = {
        "collection/reward_mean": 0.5,
        "collection/team_reward": 0.6,
        "collection/accuracy": 0.3,
        "collection/ts": 0.3,
        "collection/al": 0.8,
        "collection/cc": 0.6,
        **{f"collection/temperature/{agent}": 2 / step for agent in agents},
        **{f"collection/repetition_penalty/{agent}": 1.0 for agent in agents},
        **{f"collection/action_{k}/{agent}": 0.0 for agent in agents for k in (0, 1)},
        **{f"train/alpha_{name}": 1 / 3 for name in ("al", "cc", "ts")},
        "train/loss_td": 1.0 / step,
        "timers/rollout": 3.0,
        "counters/episodes": step,
    }
    return line | ({"eval/nash_conv": 1 / step} if step % 20 == 0 else {})


def plot(folder: Path) -> list[Path]:
    return plot_run(RunCurves(lines=read_metrics(folder)), folder)


Curve = tuple[list[float], list[float]]
Drawn = dict[str, dict[str, dict[str, Curve]]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Figure to title to curves, as measured, of what would be drawn, without drawing it."""
    figures: Drawn = {}

    def keep(path: Path, charts: list[Chart]) -> Path:
        figures[path.stem] = {
            chart.title: {
                series.label: (list(series.x), list(series.points or series.y))
                for series in chart.series
            }
            for chart in charts
        }
        return path

    monkeypatch.setattr(plots, "_draw", keep)
    return figures


@pytest.mark.slow
def test_every_figure_of_a_run_is_a_png(tmp_path: Path) -> None:
    files = plot(record(tmp_path, map(econ_line, range(1, 61))))
    names = ["rewards", "accuracy", "nash_conv", "actions", "losses"]
    assert files == [tmp_path / "plots" / f"{name}.png" for name in names]
    for file in files:
        assert file.read_bytes().startswith(PNG)


def test_curves_hold_the_numbers_that_were_measured(tmp_path: Path, drawn: Drawn) -> None:
    plot(record(tmp_path, map(econ_line, range(1, 61))))
    steps, values = drawn["nash_conv"]["NashConv"][""]
    assert steps == [20, 40, 60]
    assert values == [1 / 20, 1 / 40, 1 / 60]
    assert drawn["accuracy"]["Accuracy"]["while training"][1] == [30.0] * 60
    assert list(drawn["actions"])[:2] == ["Temperature T", "Repetition penalty p"]
    temperatures = drawn["actions"]["Temperature T"]
    assert list(temperatures) == ["executor_0", "executor_1", "executor_2"]
    assert temperatures["executor_1"][1] == [2 / step for step in range(1, 61)]


def test_what_was_not_measured_is_not_drawn(tmp_path: Path, drawn: Drawn) -> None:
    other_game = {"collection/reward_mean": -3.0, "collection/team_reward": -3.0}
    files = plot(record(tmp_path, [other_game] * 3))
    assert [file.stem for file in files] == ["rewards"]
    assert list(drawn["rewards"]) == ["Reward"]


def test_actions_without_names_are_drawn_by_coordinate(tmp_path: Path, drawn: Drawn) -> None:
    line = {f"collection/action_{k}/agent_{i}": k / 10 for k in (10, 2) for i in (0, 1)}
    plot(record(tmp_path, [line]))
    assert list(drawn["actions"]) == ["Action 10", "Action 2"]
    assert list(drawn["actions"]["Action 10"]) == ["agent_0", "agent_1"]


def test_actions_of_another_environment_are_drawn_under_its_names(
    tmp_path: Path, drawn: Drawn
) -> None:
    line = {"collection/meeting_place/ann": 4.0, "collection/meeting_place/bob": 6.0}
    plot(record(tmp_path, [line]))
    assert list(drawn["actions"]) == ["Meeting place"]
    assert list(drawn["actions"]["Meeting place"]) == ["ann", "bob"]


def test_weights_of_the_reward_are_drawn_if_they_move(tmp_path: Path, drawn: Drawn) -> None:
    weights = [{f"train/alpha_{name}": 1 / 3 for name in ("cc", "ts", "al")}] * 3
    assert plot(record(tmp_path, weights)) == []
    plot(record(tmp_path, [*weights, {"train/alpha_ts": 0.4}]))
    [panel] = drawn["alpha"].values()
    assert list(panel) == ["TS: task", "AL: likelihood", "CC: collaboration"]


def test_every_loss_has_a_panel_of_its_own(tmp_path: Path, drawn: Drawn) -> None:
    plot(record(tmp_path, [{"train/loss_td": 1.0, "train/loss_total": -5.0}]))
    assert list(drawn["losses"]) == ["TD", "Total"]


def axis_of(chart: Chart) -> Axes:
    """The axis on which a chart was drawn."""
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    plots._draw_chart(axis, chart)
    figure.draw_without_rendering()
    return axis


EVERYTHING = Chart(
    title="Accuracy",
    x_label="training episodes",
    y_label="right answers, % of questions",
    series=[
        Series(
            label="while training",
            x=[1.0, 20.0],
            y=[40.0, 60.0],
            low=[30.0, 50.0],
            high=[50.0, 70.0],
            points=[35.0, 65.0],
        )
    ],
    levels=[Level(label="test", y=80.0, low=75.0, high=85.0)],
    spans=[Span(label="warm-up", start=0.0, end=5.0)],
    box=(0.0, 100.0),
)


def test_axes_are_named_and_no_legend_lies_on_the_data() -> None:
    axis = axis_of(EVERYTHING)
    assert (axis.get_title(), axis.get_xlabel(), axis.get_ylabel()) == (
        "Accuracy",
        "training episodes",
        "right answers, % of questions",
    )
    legend = axis.get_legend()
    assert legend is not None
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ["while training", "test", "warm-up", "range allowed"]
    assert shown == [label for label, _, _ in EVERYTHING.legend()], "as on the page"
    assert not legend.get_window_extent().overlaps(axis.get_window_extent())


def test_the_title_of_a_lower_chart_stands_apart_from_the_axis_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(
        FigureCanvasAgg, "print_figure", lambda self, *_, **__: figures.append(self.figure)
    )
    lines = [{f"train/loss_{name}": 1.0 for name in "abcd"}]
    plot_run(RunCurves(lines=read_metrics(record(tmp_path, lines))), tmp_path)
    (figure,) = figures
    figure.draw_without_rendering()
    upper, lower = figure.axes[0], figure.axes[3]
    gap = upper.xaxis.label.get_window_extent().y0 - lower.title.get_window_extent().y1
    assert gap >= lower.title.get_window_extent().height


def test_a_chart_is_drawn_whole() -> None:
    axis = axis_of(EVERYTHING)
    heights = [list(map(float, line.get_ydata())) for line in axis.lines]  # type: ignore[arg-type]
    assert heights == [[40, 60], [35, 65], [80, 80], [0, 0], [100, 100]]
    (band,) = axis.collections
    assert tuple(band.get_datalim(axis.transData).extents) == (1, 30, 20, 70)
    low, high = axis.get_ylim()
    assert low < 0 < 100 < high
    assert axis.get_xlim() == pytest.approx((0, 20))


def test_without_anything_to_tell_apart_there_is_no_legend() -> None:
    plain = Chart(title="t", x_label="x", y_label="y", series=[Series(label="", x=[1], y=[2])])
    assert axis_of(plain).get_legend() is None


def test_colours_are_those_of_the_page() -> None:
    style = (files("econ_pages") / "assets" / "page.css").read_text(encoding="utf-8")
    light, _, _ = style.partition("@media")
    assert dict(re.findall(r"--c(\d): (#\w+);", light)) == {
        f"{i}": colour for i, colour in enumerate(plots.COLOURS)
    }


def test_a_run_that_measured_nothing_has_no_figures(tmp_path: Path) -> None:
    assert plot(record(tmp_path, [])) == []
    assert [entry.name for entry in tmp_path.iterdir()] == [JSONL]


def test_without_metrics_nothing_can_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match="cannot be read"):
        plot(tmp_path)


def test_more_agents_than_colours_are_told_apart() -> None:
    assert len(set(plots._styles(32))) == 32
    assert len(plots._styles(40)) == 40


def test_drawing_leaves_nothing_behind_in_the_process(tmp_path: Path) -> None:
    already = "matplotlib.pyplot" in sys.modules
    plot(record(tmp_path, [{"collection/accuracy": 0.5}]))
    assert already or "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match=r"econ-env\[train\].*logging\.plots=false"):
        plot(record(tmp_path, [{"collection/accuracy": 0.5}]))
