"""Curves of a run's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from econ_agents.config.files import read_config
from econ_agents.evaluation.before_and_after import Learned
from econ_agents.reporting.curves import (
    action_curves,
    loss_curves,
    main_curves,
    running_mean,
    window_of,
)
from tests.econ_agents.reporting.test_conclusion import STILL, learned

CONFIG = read_config("quickstart")


def lines(count: int, **metrics: float) -> list[dict[str, float]]:
    return [{"step": 20 * (i + 1), **_named(metrics, i)} for i in range(count)]


def _named(metrics: Mapping[str, float], i: int) -> dict[str, float]:
    return {name.replace("__", "/"): value * (1 + i / 100) for name, value in metrics.items()}


def test_long_curves_are_running_means_with_intervals_and_short_ones_are_not() -> None:
    (short,) = main_curves(lines(5, collection__accuracy=0.5), CONFIG, None)
    assert (short.series[0].low, short.series[0].points) == ((), ())
    (long,) = main_curves(lines(30, collection__accuracy=0.5), CONFIG, None)
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


def test_axes_name_their_units_and_the_warm_up_is_shaded() -> None:
    charts = main_curves(lines(5, collection__accuracy=0.5, collection__tokens=400), CONFIG, None)
    assert [(chart.title, chart.y_label) for chart in charts] == [
        ("Accuracy", "right answers, % of questions"),
        ("Tokens", "tokens per question"),
    ]
    assert {chart.x_label for chart in charts} == {"training episodes"}
    # Five intervals of 20 episodes end with the warm-up.
    assert [(span.start, span.end) for span in charts[0].spans] == [(0, 100)]
    assert charts[0].series[0].y[0] == 50.0


def test_the_test_of_trained_and_untrained_is_a_level_of_the_accuracy() -> None:
    tested = (STILL, learned(0.065, 0.02, 0.11))
    (chart,) = main_curves(lines(5, collection__accuracy=0.5), CONFIG, tested)
    assert [(level.label, level.y) for level in chart.levels] == [
        ("test, trained", 65.5),
        ("test, untrained", 59.0),
    ]


def test_weights_of_the_reward_are_drawn_only_if_they_move() -> None:
    still = [{"step": i, "train/alpha_ts": 0.4} for i in (1, 2)]
    assert main_curves(still, CONFIG, None) == []
    moving = [{"step": i, "train/alpha_ts": 0.4 + i / 10} for i in (1, 2)]
    (chart,) = main_curves(moving, CONFIG, None)
    assert chart.title == "Weights of the reward, α"


def test_nash_conv_is_drawn_with_its_interval_beside_zero() -> None:
    names = {"eval__nash_conv": 0.1, "eval__nash_conv_low": 0.05, "eval__nash_conv_high": 0.2}
    (chart,) = main_curves(lines(2, **names), CONFIG, None)
    assert chart.series[0].low[0] == 0.05
    assert [level.y for level in chart.levels] == [0.0]


def test_actions_are_drawn_per_coordinate_with_the_box_that_the_test_found() -> None:
    metrics = lines(3, **{"collection__temperature/a": 0.5, "collection__temperature/b": 0.7})
    found: Learned = replace(learned(0, 0, 0), bounds={"temperature": (0.0, 2.0)})
    (chart,) = action_curves(metrics, CONFIG, found)
    assert chart.title == "Temperature T"
    assert [series.label for series in chart.series] == ["a", "b"]
    assert chart.box == (0.0, 2.0)
    (unknown,) = action_curves(metrics, CONFIG, None)
    assert unknown.box is None


def test_actions_of_other_environments_have_their_own_names() -> None:
    metrics = lines(3, **{"collection__action_0/a": 0.5, "collection__thrust/a": 0.7})
    charts = action_curves(metrics, CONFIG, None)
    assert [(chart.title, chart.box) for chart in charts] == [
        ("Action 0", (-1, 1)),
        ("Thrust", None),
    ]


def test_every_loss_has_a_chart_of_its_own_scaled_by_its_weight() -> None:
    metrics = lines(
        2, train__loss_encoder=5.0, train__loss_local_td=5.0, train__loss_best_response=1
    )
    charts = loss_curves(metrics, CONFIG)
    # L_e has weight 0.1 in the preset, and the best response none.
    assert [(chart.title, chart.y_label, chart.series[0].y[0]) for chart in charts] == [
        ("Encoder", "loss", 5.0),
        ("Local TD", "loss", 5.0),
    ]
