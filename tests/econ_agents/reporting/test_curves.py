"""Curves of a run's page, beside what its test found."""

from __future__ import annotations

from dataclasses import replace

from econ_agents.config.files import read_config
from econ_agents.reporting.curves import curves_of
from tests.econ_agents.reporting.test_conclusion import STILL, learned

CONFIG = read_config("quickstart")


def test_the_test_of_trained_and_untrained_is_a_level_of_the_accuracy() -> None:
    lines = [{"step": 20, "collection/accuracy": 0.5}]
    (chart,) = curves_of(lines, CONFIG, (STILL, learned(0.065, 0.02, 0.11))).accuracy()
    assert [(level.label, level.y) for level in chart.levels] == [
        ("test, trained", 65.5),
        ("test, untrained", 59.0),
    ]
    (alone,) = curves_of(lines, CONFIG, None).accuracy()
    assert list(alone.levels) == []


def test_actions_are_drawn_with_the_box_that_the_test_found() -> None:
    lines = [{"step": 20, "collection/temperature/a": 0.5}]
    found = replace(learned(0, 0, 0), bounds={"temperature": (0.0, 2.0)})
    assert [chart.box for chart in curves_of(lines, CONFIG, (STILL, found)).actions()] == [(0, 2)]
    assert [chart.box for chart in curves_of(lines, CONFIG, None).actions()] == [None]


def test_warm_up_and_weights_of_losses_are_those_of_the_configuration() -> None:
    losses = {"train/loss_encoder": 5.0, "train/loss_local_td": 5.0, "train/loss_best_response": 1}
    lines = [{"step": step, "collection/accuracy": 0.5, **losses} for step in (100, 200)]
    curves = curves_of(lines, CONFIG, None)
    assert [(span.start, span.end) for span in curves.accuracy()[0].spans] == [(0, 100)]
    # The best response has no weight in the preset.
    assert [(chart.title, chart.y_label, chart.series[0].y[0]) for chart in curves.losses()] == [
        ("Encoder", "loss", 5.0),
        ("Local TD", "loss", 5.0),
    ]
