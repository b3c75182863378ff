"""Models of an environment are loaded when they must do something, and known by their version."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from econ_env.config import EnvConfig
from econ_env.envs.joint import JointEnv
from econ_env.envs.joint_vector import JointVectorEnv
from econ_env.envs.parallel import EconParallelEnv
from econ_env.llm import BudgetExceeded, ChatRequest, Completion, ModelError, ReplayMiss, Usage
from econ_env.llm.cache.keys import content_version
from econ_env.llm.cache.store import StoreError, default_cache_path
from tests.support import RecordingModel

SIMULATED: dict[str, Any] = {"dataset": "simulated", "llm": "simulated"}


def episode(**settings: Any) -> EconParallelEnv:
    """A simulated team that has played one episode."""
    env = EconParallelEnv(**{**SIMULATED, **settings})
    env.reset(seed=3)
    env.step({agent: np.zeros(2) for agent in env.agents})
    env.close()
    return env


def test_what_is_recorded_needs_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cache.sqlite"
    first = episode(cache="read_write", cache_path=path)

    def refuse(*arguments: object) -> None:
        raise AssertionError("a model was asked for")

    monkeypatch.setattr("econ_env.llm.registry.shared_model", refuse)
    for cache in ("read_write", "replay"):
        again = episode(cache=cache, cache_path=path)
        assert again.transcript == first.transcript
        assert (again.usage, again.usage_from_cache) == (Usage(), first.usage)


def test_environments_with_different_seeds_share_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    for seed in (1, 2):
        env = EconParallelEnv(**SIMULATED, seed=seed, cache="read_write", cache_path=path)
        env.reset()
        assert env.usage.requests == 1
        env.close()


def test_a_replay_without_a_recording_is_an_error_at_the_first_reset(tmp_path: Path) -> None:
    env = EconParallelEnv(**SIMULATED, cache="replay", cache_path=tmp_path / "cache.sqlite")
    with pytest.raises(StoreError, match="record one first"):
        env.reset()
    env.close()


def test_another_question_is_a_miss(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    episode(cache="read_write", cache_path=path)
    env = EconParallelEnv(**SIMULATED, cache="replay", cache_path=path)
    with pytest.raises(ReplayMiss, match="'strategy' of model 'simulated:coordinator'"):
        env.reset(seed=4)
    env.close()


def test_a_model_object_is_known_by_its_name_and_its_version(tmp_path: Path) -> None:
    class Versioned(RecordingModel):
        version = "1"

    settings: dict[str, Any] = {"cache": "read_write", "cache_path": tmp_path / "cache.sqlite"}
    settings |= {"prompts": "compact", "embedder": "hashing"}
    asked = []
    for version in ("1", "1", "2"):
        model = Versioned("mine")
        model.version = version
        episode(llm=model, **settings)
        asked.append(len(model.log) > 0)
    assert asked == [True, False, True]


class Saying:
    """Says the same to everything."""

    context_limit: int | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        self.asked += len(requests)
        return [Completion(text="add them") for _ in requests]

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass


def test_other_weights_of_a_bundled_model_are_asked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0").mkdir()
    monkeypatch.setattr("econ_env.llm.registry._BUNDLED_WEIGHTS", tmp_path)
    model = Saying("bundled:0")
    monkeypatch.setattr("econ_env.llm.registry.shared_model", lambda *_: model)
    asked = []
    for weights in ("old", "old", "new"):
        (tmp_path / "0" / "model.safetensors").write_text(weights)
        content_version.cache_clear()
        env = EconParallelEnv(
            llm="bundled:0", cache="read_write", cache_path=tmp_path / "cache.sqlite"
        )
        env.reset()
        env.close()
        asked.append(model.asked)
    assert asked == [1, 1, 2]
    content_version.cache_clear()


def test_the_default_path_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECON_CACHE", "/somewhere")
    assert default_cache_path() == Path("/somewhere/completions.sqlite")
    monkeypatch.delenv("ECON_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_cache_path() == Path("/caches/econ_env/completions.sqlite")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_cache_path() == Path("/home/me/.cache/econ_env/completions.sqlite")


def test_elsewhere_than_under_linux_a_file_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ECON_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    system = tmp_path / "Library" / "Caches" / "econ_env"
    monkeypatch.setattr("econ_env.llm.cache.store.user_cache_path", lambda name, appauthor: system)
    assert default_cache_path() == system / "completions.sqlite"
    former = tmp_path / ".cache" / "econ_env" / "completions.sqlite"
    former.parent.mkdir(parents=True)
    former.touch()
    assert default_cache_path() == former


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"cache": "on"}, ValueError, "cache must be one of 'off'"),
        ({"cache_path": "x"}, ValueError, 'cache="off" keeps nothing'),
        ({"max_requests": 0}, ValueError, "max_requests"),
        ({"max_total_tokens": 1.5}, ValueError, "max_total_tokens"),
        ({"max_cost_usd": -1}, ValueError, "max_cost_usd"),
        ({"prices": {"m": [1]}}, ValueError, r"prices\['m'\]"),
        ({"llm": RecordingModel("mine"), "prompts": "compact", "max_cost_usd": 1}, ModelError,
         "price of 'mine'"),
    ],
    # No addresses of objects: every worker must find the same names.
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else str(value),
)  # fmt: skip
def test_settings_are_checked_at_once(
    settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        EnvConfig(**{**SIMULATED, **settings})


def test_settings_of_cache_and_budget_are_plain_data(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "cache": "replay",
        "cache_path": str(tmp_path / "c.sqlite"),
        "max_requests": 3,
        "max_total_tokens": 4,
        "max_cost_usd": 0.5,
        "prices": {"m": [0.1, 0.2]},
    }
    written = json.loads(json.dumps(EnvConfig(**SIMULATED, **settings).to_json()))
    assert {name: written[name] for name in settings} == settings


def test_a_cost_limit_counts_with_the_prices_of_the_user() -> None:
    model = RecordingModel("mine")
    env = EconParallelEnv(
        dataset="simulated",
        llm=model,
        prompts="compact",
        embedder="hashing",
        prices={"mine": [1e6, 0]},
        max_cost_usd=1000.0,
    )
    env.reset()
    prompt = env.transcript.strategies[0].usage.prompt_tokens
    assert env.spending.cost_usd == prompt
    with pytest.raises(BudgetExceeded, match="max_cost_usd=1000"):
        deque((env.reset() for _ in range(1000)), maxlen=0)
    assert env.spending.cost_usd <= 1000
    env.close()


def test_all_models_of_an_environment_share_its_budget() -> None:
    asked: list[str] = []

    class Named(RecordingModel):
        def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
            asked.extend([self.name] * len(requests))
            return super().generate(requests)

    env = EconParallelEnv(
        dataset="simulated",
        llm=[Named("a"), Named("b"), Named("c")],
        prompts="compact",
        embedder="hashing",
        max_requests=3,
    )
    env.reset()
    with pytest.raises(BudgetExceeded, match="'c'"):
        env.step({agent: np.zeros(2) for agent in env.agents})
    assert asked == ["a", "a", "b"]
    env.close()


@pytest.mark.parametrize("view", [JointEnv, JointVectorEnv])
def test_joint_views_replay_too_and_say_what_they_spent(tmp_path: Path, view: Any) -> None:
    seen = []
    for cache in ("read_write", "replay"):
        env = view(**SIMULATED, cache=cache, cache_path=tmp_path / "cache.sqlite")
        observation, _ = env.reset(seed=3)
        returned = env.step(np.zeros_like(env.action_space.sample()))
        seen.append([observation.tolist(), str(returned), env.usage + env.usage_from_cache])
        assert env.spending.requests == (0 if cache == "replay" else env.usage.requests)
        env.close()
    assert seen[0] == seen[1]
