"""Gymnasium and PettingZoo make the environment by its ids, in all their modes."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

import econ_env
from econ_env import EconParallelEnv, JointEnv, JointVectorEnv
from econ_env.envs.joint_views import VIEW_NAMES, ViewName
from econ_env.envs.vector import AutoresetMode
from econ_env.llm import ChatRequest, Completion
from econ_env.registration import IDS, register_all

pytestmark = pytest.mark.slow

SIMULATED = "econ_env:econ/Simulated-v0"
MODES = ["sync", "async", "vector_entry_point"]

ROWS: dict[str, Callable[[int], dict[str, Any]]] = {
    "GSM8K": lambda i: {
        "question": f"A shelf holds {i} cups and {i + 2} bowls. How many pieces does it hold?",
        "answer": f"It holds {i} + {i + 2} = {2 * i + 2}.\n#### {2 * i + 2}",
    },
    "MATH": lambda i: {
        "problem": f"What is the sum of the first {i} positive integers?",
        "solution": f"It is $\\boxed{{{i * (i + 1) // 2}}}$.",
        "type": "Algebra",
    },
    "SVAMP": lambda i: {
        "Body": f"A gardener planted {i + 5} roses and {i} of them withered.",
        "Question": "How many roses are left?",
        "Answer": 5,
        "Type": "Subtraction",
    },
}
"""Rows in the format of each data set of the hub, written for this test."""


class QuickModel:
    """Answers at once, and the same to everybody; the bundled models take seconds for such rows."""

    name = "quick"
    context_limit: int | None = None

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        return [Completion(text="It is \\boxed{5}.") for _ in requests]

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def close(self) -> None:
        pass


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """The settings with which an id does without the hub and without waiting for a model."""

    def settings(name: str) -> dict[str, Any]:
        if name not in ROWS:
            return {}
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(json.dumps(ROWS[name](i)) for i in range(3, 8)))
        return {"data_path": str(path), "llm": QuickModel(), "embedder": "hashing"}

    return settings


@pytest.mark.parametrize("name", IDS)
def test_gymnasium_checks_every_id(
    name: str, settings_of: Callable[[str], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    env = gymnasium.make(f"econ_env:econ/{name}-v0", n_agents=1, **settings_of(name))
    check_env(env.unwrapped)


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("view", VIEW_NAMES)
def test_gymnasium_checks_every_view(
    view: ViewName, rounds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    check_env(gymnasium.make(SIMULATED, view=view, bne_rounds=rounds).unwrapped)


@pytest.mark.parametrize("name", IDS)
def test_every_id_makes_a_vector_environment(
    name: str, settings_of: Callable[[str], dict[str, Any]]
) -> None:
    envs = gymnasium.make_vec(
        f"econ_env:econ/{name}-v0", num_envs=2, n_agents=1, **settings_of(name)
    )
    assert isinstance(envs, JointVectorEnv)
    observations, _ = envs.reset(seed=0)
    assert observations in envs.observation_space
    observations, _, terminations, *_ = envs.step(envs.action_space.sample())
    assert observations in envs.observation_space
    assert terminations.all()
    envs.close()


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_all_modes_of_make_vec_play_the_same(view: ViewName) -> None:
    actions = None
    seen = []
    for mode in MODES:
        envs = gymnasium.make_vec(
            SIMULATED, num_envs=2, vectorization_mode=mode, view=view, bne_rounds=2
        )
        if actions is None:
            envs.action_space.seed(0)
            actions = [envs.action_space.sample() for _ in range(5)]
        seen.append([envs.reset(seed=3), *map(envs.step, actions)])
        envs.close()
    assert data_equivalence(seen[0], seen[1], exact=True)
    assert data_equivalence(seen[0], seen[2], exact=True)


def test_async_workers_can_be_spawned() -> None:
    envs = gymnasium.make_vec(
        SIMULATED, num_envs=1, vectorization_mode="async", vector_kwargs={"context": "spawn"}
    )
    envs.reset(seed=0)
    assert envs.step(np.zeros((1, 6), dtype=np.float32))[2].all()
    envs.close()


@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_autoreset_mode_is_declared(mode: AutoresetMode) -> None:
    envs = gymnasium.make_vec(SIMULATED, num_envs=2, autoreset_mode=mode.value)
    assert envs.metadata["autoreset_mode"] is mode
    assert JointVectorEnv.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


def test_an_environment_is_made_again_from_its_spec_as_json() -> None:
    env = gymnasium.make(
        SIMULATED,
        n_agents=2,
        view="discrete",
        bins=4,
        reward_weights={"ts": 1.0, "al": 0.0, "cc": 0.0},
    )
    assert env.spec is not None
    again = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again.unwrapped, JointEnv)
    assert again.action_space == env.action_space
    for each in (env, again):
        each.reset(seed=1)
    assert data_equivalence(env.step([3, 9]), again.step([3, 9]))


def test_a_vector_environment_is_made_again_from_its_spec_as_json() -> None:
    envs = gymnasium.make_vec(SIMULATED, num_envs=3, view="matrix", autoreset_mode="SameStep")
    assert envs.spec is not None
    again = gymnasium.make_vec(EnvSpec.from_json(envs.spec.to_json()))
    assert isinstance(again, JointVectorEnv)
    assert again.action_space == envs.action_space
    assert again.metadata == envs.metadata


@pytest.mark.parametrize("name", IDS)
def test_ids_are_registered_with_json_settings(name: str) -> None:
    spec = gymnasium.spec(f"econ/{name}-v0")
    assert EnvSpec.from_json(spec.to_json()).kwargs == IDS[name]


def test_registering_again_changes_nothing() -> None:
    before = dict(gymnasium.registry)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register_all()
        importlib.reload(econ_env)
    assert dict(gymnasium.registry) == before


def test_an_unknown_setting_is_named_in_the_error() -> None:
    with pytest.raises(TypeError, match="temprature_min"):
        gymnasium.make(SIMULATED, temprature_min=0.5)
    with pytest.raises(TypeError, match="temprature_min"):
        gymnasium.make_vec(SIMULATED, num_envs=2, temprature_min=0.5)


@pytest.mark.skipif(
    not hasattr(pettingzoo, "register"), reason="this pettingzoo has no registry (before 1.27)"
)
@pytest.mark.parametrize("name", IDS)
def test_pettingzoo_makes_both_views_of_every_id(
    name: str, settings_of: Callable[[str], dict[str, Any]]
) -> None:
    settings = settings_of(name)
    parallel = pettingzoo.make("parallel", f"econ/{name}-v0", **settings)
    assert isinstance(parallel, EconParallelEnv)
    assert parallel.config.dataset == IDS[name]["dataset"]
    aec = pettingzoo.make("aec", f"econ/{name}-v0", max_cycles=2, **settings)
    assert aec.possible_agents == ["executor_0", "executor_1", "executor_2"]
