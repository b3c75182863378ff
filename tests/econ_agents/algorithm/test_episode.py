"""The record of an episode holds together, or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from econ_agents.algorithm.episode import Episode


def episode(steps: int = 3, **changes: Any) -> Episode:
    arrays = {
        "observations": np.zeros((steps + 1, 2, 5), np.float32),
        "states": np.zeros((steps + 1, 7), np.float32),
        "actions": np.zeros((steps, 2, 2), np.float32),
        "rewards": np.zeros((steps, 2), np.float32),
        "team_rewards": np.zeros(steps, np.float32),
        "infos": {"score": np.zeros((steps, 2), np.float32)},
        "memory": np.zeros((0, 2, 7), np.float32),
    }
    settings: dict[str, Any] = {**arrays, **changes}
    return Episode(number=4, stream=0, seed=1, terminated=True, failed=False, **settings)


def test_an_episode_knows_its_length_and_its_team():
    assert (episode().length, episode().n_agents) == (3, 2)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("observations", (3, 2, 5)),
        ("states", (3, 7)),
        ("actions", (3, 1, 2)),
        ("actions", (3, 2)),
        ("team_rewards", (3, 1)),
        ("memory", (0, 3, 7)),
    ],
)
def test_arrays_of_different_episodes_are_not_put_together(name: str, shape: tuple[int, ...]):
    wrong: dict[str, Any] = {name: np.zeros(shape, np.float32)}
    with pytest.raises(ValueError, match=rf"{name} of episode 4 has the shape"):
        episode(**wrong)


def test_infos_have_a_number_for_every_step_and_agent():
    with pytest.raises(ValueError, match="'score'"):
        episode(infos={"score": np.zeros((2, 2), np.float32)})


def test_an_episode_has_a_step():
    with pytest.raises(ValueError, match="no step"):
        episode(steps=0)
