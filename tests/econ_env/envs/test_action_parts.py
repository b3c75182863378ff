"""``metadata["action_parts"]``: what a coordinate of an action means, for learners that show it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from econ_env import batched_parallel_env, parallel_env
from econ_env.game.transcript import Transcript

SETTINGS: dict[str, Any] = {
    "dataset": "simulated",
    "llm": "simulated",
    "n_agents": 1,
    "temperature_min": 0.2,
    "temperature_max": 1.4,
    "repetition_penalty_min": 1.0,
    "repetition_penalty_max": 1.3,
}


def played_alone(point: list[float]) -> tuple[Any, Transcript]:
    env = parallel_env(**SETTINGS)
    env.reset(seed=3)
    env.step({"executor_0": np.array(point)})
    return env.metadata, env.transcript


def played_in_a_batch(point: list[float]) -> tuple[Any, Transcript]:
    env = batched_parallel_env(1, **SETTINGS)
    env.reset(seed=3)
    env.step({"executor_0": np.array([point])})
    return env.metadata, env.transcript(0)


@pytest.mark.parametrize("played", [played_alone, played_in_a_batch])
@pytest.mark.parametrize("point", [[-1.0, 1.0], [0.5, -0.25]], ids=str)
def test_action_parts_say_what_the_models_are_asked_with(
    played: Callable[[list[float]], tuple[Any, Transcript]], point: list[float]
) -> None:
    metadata, transcript = played(point)
    parts = json.loads(json.dumps(metadata))["action_parts"]
    (asked,) = transcript.decisions[0].rounds[0].executors
    for part, coordinate in zip(parts, point, strict=True):
        meant = part["low"] + (coordinate + 1) / 2 * (part["high"] - part["low"])
        assert getattr(asked, part["name"]) == pytest.approx(meant)
