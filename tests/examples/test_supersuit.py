"""Tests that SuperSuit and stable-baselines3 train one policy for all agents."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import econ_env
from tests.examples.conftest import Played

pytestmark = pytest.mark.slow  # it really trains

# It needs tinyscaler, which has no wheels for Python 3.13.
supersuit = pytest.importorskip("supersuit", reason="SuperSuit is not installed")

Run = Callable[..., dict[str, float]]


@pytest.mark.exhaustive
def test_shared_parameters_learn_to_earn_more_than_random_actions(
    run_example: Run, played: Played
) -> None:
    numbers = run_example("supersuit_ppo.py", "--steps", "6000")
    assert "train/loss" in numbers
    # More than the middle of the box, where policies start, which earns 0.05 more.
    assert numbers["trained"] > numbers["random"] + 0.1
    played.assert_inside_the_box()
    assert set(played.lengths) == {1}


def test_episodes_of_several_rounds_end_for_all_agents_together(
    run_example: Run, played: Played
) -> None:
    run_example("supersuit_ppo.py", "--steps", "768", "--rounds", "3")
    played.assert_inside_the_box()
    assert {2, 3} <= set(played.lengths) <= {1, 2, 3}


def test_the_trap_of_the_seed_is_as_the_example_says(examples: Path) -> None:
    teams = runpy.run_path(str(examples / "supersuit_ppo.py"))["make_teams"](2, 0)
    seeded = teams.reset()
    assert not np.array_equal(seeded[0], seeded[3])  # the first agent of both copies
    with pytest.raises(AttributeError, match="seed"):
        teams.seed(0)
    with pytest.raises(AttributeError, match="seed"):
        teams.reset(seed=0)


def test_frames_are_skipped_by_the_environments_own_generator() -> None:
    def lengths(seed: int) -> list[float]:
        env = supersuit.frame_skip_v0(
            econ_env.parallel_env("simulated", "simulated", max_rounds=6), (1, 3)
        )
        env.reset(seed=seed)
        seen = []
        while env.agents:
            infos = env.step(dict.fromkeys(env.agents, np.zeros(2, np.float32)))[4]
            seen.append(infos["executor_0"]["decision"])
        return seen

    assert lengths(0) == lengths(0)
    assert len({tuple(lengths(seed)) for seed in range(6)}) > 1
