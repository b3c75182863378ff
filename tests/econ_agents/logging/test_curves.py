"""Curves of a run's metrics."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_agents.logging.curves import RunCurves, running_mean, window_of
from econ_pages.charts import Level


def curves(count: int, **metrics: float) -> RunCurves:
    """Curves of a run with 20 episodes in an interval, and a warm-up of five intervals."""
    lines = [{"step": 20 * (i + 1), **_named(metrics, i)} for i in range(count)]
    return RunCurves(lines=lines, random_episodes=100)


def _named(metrics: Mapping[str, float], i: int) -> dict[str, float]:
    return {name.replace("__", "/"): value * (1 + i / 100) for name, value in metrics.items()}


def test_long_curves_are_running_means_with_intervals_and_short_ones_are_not() -> None:
    (short,) = curves(5, collection__accuracy=0.5).accuracy()
    assert (short.series[0].low, short.series[0].points) == ((), ())
    (long,) = curves(30, collection__accuracy=0.5).accuracy()
    curve = long.series[0]
    assert len(curve.points) == 30
    assert all(
        low <= y <= high for low, y, high in zip(curve.low, curve.y, curve.high, strict=True)
    )


def test_a_running_mean_lies_in_the_middle_of_its_window() -> None:
    mean, half = running_mean(np.arange(9.0), 5)
    assert mean.tolist() == [1.0, 1.5, 2, 3, 4, 5, 6, 6.5, 7.0]
    # Student's 2.776 at four degrees of freedom, times the standard error of 2..6.
    assert half[4] == pytest.approx(2.7764 * np.std([2, 3, 4, 5, 6], ddof=1) / np.sqrt(5), rel=1e-4)
    assert all(window_of(count) % 2 == 1 for count in range(1, 500))


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), reach=st.integers(0, 20))
def test_a_running_mean_is_the_mean_of_what_lies_around(values: list[float], reach: int) -> None:
    means, half = running_mean(np.array(values), 2 * reach + 1)
    around = [values[max(0, i - reach) : i + reach + 1] for i in range(len(values))]
    np.testing.assert_allclose(means, [np.mean(part) for part in around], atol=1e-9)
    assert np.isnan(half).tolist() == [len(part) == 1 for part in around]


def test_axes_name_their_units_and_the_warm_up_is_shaded() -> None:
    run = curves(5, collection__accuracy=0.5, collection__tokens=400)
    charts = [*run.accuracy(), *run.tokens()]
    assert [(chart.title, chart.y_label) for chart in charts] == [
        ("Accuracy", "right answers, % of questions"),
        ("Tokens", "tokens per question"),
    ]
    assert {chart.x_label for chart in charts} == {"training episodes"}
    # Five intervals of 20 episodes end with the warm-up.
    assert [(span.start, span.end) for span in charts[0].spans] == [(0, 100)]
    assert charts[0].series[0].y[0] == 50.0


def test_what_was_not_measured_has_no_chart() -> None:
    run = curves(5, collection__team_reward=0.5)
    assert [chart.title for chart in run.rewards()] == ["Reward"]
    others = (run.accuracy, run.tokens, run.weights, run.nash_conv, run.actions, run.losses)
    assert [charts() for charts in (*others, run.stopping)] == [[]] * 7


def test_what_a_test_found_is_a_level_of_the_accuracy() -> None:
    found = [Level(label="test, trained", y=65.5, low=58.7, high=71.7)]
    lines = [{"step": 20, "collection/accuracy": 0.5}]
    (chart,) = RunCurves(lines=lines, tested=found).accuracy()
    assert chart.levels == found


def test_weights_of_the_reward_are_drawn_only_if_they_move() -> None:
    still = [{"step": i, "train/alpha_ts": 0.4} for i in (1, 2)]
    assert RunCurves(lines=still).weights() == []
    moving = [{"step": i, "train/alpha_ts": 0.4 + i / 10} for i in (1, 2)]
    (chart,) = RunCurves(lines=moving).weights()
    assert chart.title == "Weights of the reward, α"


def test_nash_conv_is_drawn_with_its_interval_beside_zero() -> None:
    names = {"eval__nash_conv": 0.1, "eval__nash_conv_low": 0.05, "eval__nash_conv_high": 0.2}
    (chart,) = curves(2, **names).nash_conv()
    assert chart.series[0].low[0] == 0.05
    assert [level.y for level in chart.levels] == [0.0]


def test_actions_are_drawn_per_coordinate_with_the_box_that_is_known() -> None:
    lines = [{"step": 1, "collection/temperature/a": 0.5, "collection/temperature/b": 0.7}]
    (chart,) = RunCurves(lines=lines, bounds={"temperature": (0.0, 2.0)}).actions()
    assert chart.title == "Temperature T"
    assert [series.label for series in chart.series] == ["a", "b"]
    assert chart.box == (0.0, 2.0)
    (unknown,) = RunCurves(lines=lines).actions()
    assert unknown.box is None


def test_actions_of_other_environments_have_their_own_names() -> None:
    charts = curves(3, **{"collection__action_0/a": 0.5, "collection__thrust/a": 0.7}).actions()
    assert [(chart.title, chart.y_label, chart.box) for chart in charts] == [
        ("Action 0", "mean action 0", (-1, 1)),
        ("Thrust", "mean thrust", None),
    ]


def test_every_loss_has_a_chart_of_its_own_scaled_by_its_weight() -> None:
    lines = [{"step": 1, "train/loss_encoder": 5.0, "train/loss_local_td": 5.0, "train/loss_l": 1}]
    charts = RunCurves(lines=lines, loss_weights={"encoder": 0.1, "l": 0.0}).losses()
    assert [(chart.title, chart.y_label, chart.series[0].y[0]) for chart in charts] == [
        ("Encoder", "loss, times its weight 0.1", 0.5),
        ("Local TD", "loss", 5.0),
    ]


def test_what_early_stopping_compared_is_drawn_without_intervals_of_its_own() -> None:
    charts = curves(30, stopping__loss_change=0.1, stopping__metric=0.5).stopping()
    assert [(chart.title, chart.y_label) for chart in charts] == [
        ("Change of the loss", "change of the smoothed loss"),
        ("Metric of early stopping", "early_stopping.metric, smoothed"),
    ]
    assert [chart.series[0].low for chart in charts] == [(), ()]
