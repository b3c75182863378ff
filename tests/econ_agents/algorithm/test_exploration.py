"""Exploration: uniform at first, then Gaussian with a falling deviation, always the same draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from econ_agents.algorithm.exploration import Exploration
from econ_agents.config.learning import TrainSettings


def exploration(*, seed: int = 0, **changes: Any) -> Exploration:
    settings: dict[str, Any] = {
        "warmup_episodes": 10,
        "exploration_std_start": 0.4,
        "exploration_std_end": 0.1,
        "exploration_decay_episodes": 20,
    }
    return Exploration(train=TrainSettings(**{**settings, **changes}), seed=seed)


@pytest.mark.parametrize(
    ("episode", "std"),
    [(0, np.inf), (9, np.inf), (10, 0.4), (20, 0.25), (30, 0.1), (31, 0.1), (10**6, 0.1)],
)
def test_the_deviation_falls_linearly_after_the_warm_up(episode: int, std: float):
    assert exploration().std(episode) == pytest.approx(std)


def test_the_warm_up_is_uniform_over_the_box_whatever_the_policy_does():
    at_the_wall = np.ones((2000, 2), np.float32)
    tried = exploration().explore(at_the_wall, 0, 0)
    assert tried.dtype == np.float32
    shares = np.histogram(tried, bins=4, range=(-1, 1))[0] / tried.size
    assert np.abs(shares - 0.25).max() < 0.03


def test_later_the_policy_is_followed_with_noise_inside_of_the_box():
    middle = np.zeros((2000, 2), np.float32)
    noise = exploration().explore(middle, 10, 0)
    assert abs(noise.mean()) < 0.03
    # Nearly all of it lies inside of the box, where nothing is clipped.
    assert noise.std() == pytest.approx(0.4, rel=0.05)
    at_the_wall = exploration().explore(middle + 1, 10, 0)
    assert at_the_wall.max() == 1.0
    assert (at_the_wall == 1.0).mean() == pytest.approx(0.5, abs=0.05)


def test_without_noise_the_policy_is_followed_exactly():
    actions = np.array([[0.3, -1.0]], np.float32)
    silent = exploration(exploration_std_start=0.0, exploration_std_end=0.0)
    np.testing.assert_array_equal(silent.explore(actions, 50, 0), actions)


def test_draws_belong_to_seed_episode_and_step_alone():
    actions = np.zeros((3, 2), np.float32)

    def draw(episode: int, step: int, seed: int = 0) -> bytes:
        return exploration(seed=seed).explore(actions, episode, step).tobytes()

    assert draw(20, 1) == draw(20, 1)
    assert len({draw(20, 1), draw(20, 2), draw(21, 1), draw(20, 1, seed=1), draw(2, 1)}) == 5
