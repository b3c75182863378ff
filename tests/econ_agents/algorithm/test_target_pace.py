"""Target networks follow at the configured pace, and faster in a run that is too short for it."""

from __future__ import annotations

import math

import pytest

from econ_agents.algorithm.target_pace import TargetPace, target_pace
from econ_agents.config.schema import Config, TrainSettings


def test_a_long_run_keeps_the_configured_pace() -> None:
    long = Config(train=TrainSettings(episodes=100_000))
    assert target_pace(long) == TargetPace(tau=0.01, interval=8)


@pytest.mark.parametrize("episodes", [20, 100, 1000])
def test_at_the_end_of_any_run_little_is_left_of_the_untrained_targets(episodes: int) -> None:
    config = Config(train=TrainSettings(episodes=episodes))
    pace = target_pace(config)
    left = (1 - pace.tau) ** (config.planned_updates // pace.interval)
    assert left <= math.exp(-4)


def test_nothing_is_scaled_if_that_is_turned_off() -> None:
    short = Config(train=TrainSettings(episodes=20), target_update_catch_up=0.0)
    assert target_pace(short) == TargetPace(tau=0.01, interval=8)


def test_a_run_without_enough_updates_for_a_single_step_takes_one() -> None:
    assert target_pace(Config(train=TrainSettings(episodes=1))) == TargetPace(tau=1.0, interval=1)
