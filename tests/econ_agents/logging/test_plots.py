"""A run is drawn from its metrics: what was measured, as it was measured, and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from econ_agents.logging import plots
from econ_agents.logging.metrics_log import JSONL, MetricsError
from econ_agents.logging.plots import PlotError, plot_run

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


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, plots.Curves]]:
    """Figure to title to curves of what ``plot_run`` would draw, without drawing it."""
    figures: dict[str, dict[str, plots.Curves]] = {}

    def keep(path: Path, panels: list[tuple[plots._Panel, plots.Curves]], begin: float) -> Path:
        figures[path.stem] = {panel.title: curves for panel, curves in panels}
        return path

    monkeypatch.setattr(plots, "_draw", keep)
    return figures


Drawn = dict[str, dict[str, plots.Curves]]


@pytest.mark.slow
def test_every_figure_of_a_run_is_a_png(tmp_path: Path) -> None:
    files = plot_run(record(tmp_path, map(econ_line, range(1, 61))))
    names = ["rewards", "accuracy", "nash_conv", "actions", "losses"]
    assert files == [tmp_path / "plots" / f"{name}.png" for name in names]
    for file in files:
        assert file.read_bytes().startswith(PNG)


def test_curves_hold_the_numbers_that_were_measured(tmp_path: Path, drawn: Drawn) -> None:
    plot_run(record(tmp_path, map(econ_line, range(1, 61))))
    steps, values = drawn["nash_conv"]["NashConv"][""]
    assert steps.tolist() == [20, 40, 60]
    assert values.tolist() == [1 / 20, 1 / 40, 1 / 60]
    assert drawn["accuracy"]["Accuracy"]["while training"][1].tolist() == [30.0] * 60
    assert list(drawn["actions"])[:2] == ["Temperature T", "Repetition penalty p"]
    temperatures = drawn["actions"]["Temperature T"]
    assert list(temperatures) == ["executor_0", "executor_1", "executor_2"]
    assert temperatures["executor_1"][1].tolist() == [2 / step for step in range(1, 61)]


def test_what_was_not_measured_is_not_drawn(tmp_path: Path, drawn: Drawn) -> None:
    other_game = {"collection/reward_mean": -3.0, "collection/team_reward": -3.0}
    files = plot_run(record(tmp_path, [other_game] * 3))
    assert [file.stem for file in files] == ["rewards"]
    assert list(drawn["rewards"]) == ["Reward"]


def test_actions_without_names_are_drawn_by_coordinate(tmp_path: Path, drawn: Drawn) -> None:
    line = {f"collection/action_{k}/agent_{i}": k / 10 for k in (10, 2) for i in (0, 1)}
    plot_run(record(tmp_path, [line]))
    assert list(drawn["actions"]) == ["Action 10", "Action 2"]
    assert list(drawn["actions"]["Action 10"]) == ["agent_0", "agent_1"]


def test_actions_of_another_environment_are_drawn_under_its_names(
    tmp_path: Path, drawn: Drawn
) -> None:
    line = {"collection/meeting_place/ann": 4.0, "collection/meeting_place/bob": 6.0}
    plot_run(record(tmp_path, [line]))
    assert list(drawn["actions"]) == ["Meeting place"]
    assert list(drawn["actions"]["Meeting place"]) == ["ann", "bob"]


def test_weights_of_the_reward_are_drawn_if_they_move(tmp_path: Path, drawn: Drawn) -> None:
    weights = [{f"train/alpha_{name}": 1 / 3 for name in ("cc", "ts", "al")}] * 3
    assert plot_run(record(tmp_path, weights)) == []
    plot_run(record(tmp_path, [*weights, {"train/alpha_ts": 0.4}]))
    [panel] = drawn["alpha"].values()
    assert list(panel) == ["TS: task", "AL: likelihood", "CC: collaboration"]


def test_every_loss_has_a_panel_of_its_own(tmp_path: Path, drawn: Drawn) -> None:
    plot_run(record(tmp_path, [{"train/loss_td": 1.0, "train/loss_total": -5.0}]))
    assert list(drawn["losses"]) == ["td", "total"]


def test_axes_are_named_and_no_legend_lies_on_the_data() -> None:
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    steps, values = np.arange(1.0, 21.0), np.linspace(0.0, 100.0, 20)
    (panel,) = plots._FIGURES["accuracy"]
    plots._draw_panel(axis, panel, {"while training": (steps, values)}, begin=5.0)
    figure.draw_without_rendering()
    assert (axis.get_xlabel(), axis.get_ylabel()) == (
        "training episodes",
        "right answers, % of questions",
    )
    legend = axis.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["warm-up", "while training"]
    assert not legend.get_window_extent().overlaps(axis.get_window_extent())


def test_a_run_that_measured_nothing_has_no_figures(tmp_path: Path) -> None:
    assert plot_run(record(tmp_path, [])) == []
    assert [entry.name for entry in tmp_path.iterdir()] == [JSONL]


def test_without_metrics_nothing_can_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match="cannot be read"):
        plot_run(tmp_path)


def test_more_agents_than_colours_are_told_apart() -> None:
    styles = plots._styles()
    assert len({next(styles) for _ in range(32)}) == 32


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), reach=st.integers(0, 20))
def test_a_running_mean_is_the_mean_of_what_lies_around(values: list[float], reach: int) -> None:
    means = plots._running_mean(np.array(values), 2 * reach + 1)
    expected = [np.mean(values[max(0, i - reach) : i + reach + 1]) for i in range(len(values))]
    np.testing.assert_allclose(means, expected, atol=1e-9)


def test_drawing_leaves_nothing_behind_in_the_process(tmp_path: Path) -> None:
    already = "matplotlib.pyplot" in sys.modules
    plot_run(record(tmp_path, [{"collection/accuracy": 0.5}]))
    assert already or "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match=r"econ-env\[train\].*logging\.plots=false"):
        plot_run(record(tmp_path, [{"collection/accuracy": 0.5}]))
