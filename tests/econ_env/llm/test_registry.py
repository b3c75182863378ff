"""Names of models become a team, and nothing is loaded for it."""

from __future__ import annotations

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from econ_env.llm import ModelError, close_shared_models, resolve_models, shared_model
from econ_env.llm.api import ApiModel, ApiSettings
from econ_env.llm.simulated.model import SimulatedModel
from tests.support import RecordingModel


@pytest.mark.parametrize(
    ("llm", "n_agents", "executors", "coordinator"),
    [
        ("bundled", 4, "bundled:0 bundled:1 bundled:2 bundled:0", "bundled:coordinator"),
        ("bundled:1", 2, "bundled:1 bundled:1", "bundled:1"),
        ("simulated", 4, "simulated:0 simulated:1 simulated:2 simulated:0", None),
        ("simulated:2", 2, "simulated:2 simulated:2", None),
        ("hf:some/model", 2, "hf:some/model hf:some/model", "hf:some/model"),
        (["bundled:2", "hf:x"], 2, "bundled:2 hf:x", "bundled:2"),
        (["bundled"] * 4, 4, "bundled:0 bundled:1 bundled:2 bundled:0", "bundled:coordinator"),
        (["bundled", "hf:x"], 2, "bundled:0 hf:x", "bundled:coordinator"),
        (["simulated"] * 3, 3, "simulated:0 simulated:1 simulated:2", None),
        (["hf:x", "bundled", "simulated"], 3, "hf:x bundled:1 simulated:2", "hf:x"),
        (("simulated:1", "bundled:0"), 2, "simulated:1 bundled:0", None),
    ],
)
def test_models_are_dealt_out_by_name(
    llm: Any, n_agents: int, executors: str, coordinator: str | None
) -> None:
    team = resolve_models(llm, n_agents)
    assert team.executors == tuple(executors.split())
    assert team.coordinator == (coordinator or "simulated:coordinator")


def test_the_coordinator_can_be_another_model() -> None:
    team = resolve_models("simulated", 2, "bundled:2")
    assert team.coordinator == "bundled:2"
    assert team.names == ("bundled:2", "simulated:0", "simulated:1")
    assert team.families == {"bundled", "simulated"}
    assert resolve_models("hf:x", 2, "bundled").coordinator == "bundled:coordinator"


def test_objects_are_used_as_they_are() -> None:
    mine, other = RecordingModel("mine"), RecordingModel("other")
    team = resolve_models([mine, "simulated:1", mine], 3, other)
    assert team.executors == ("mine", "simulated:1", "mine")
    assert team.coordinator == "other"
    assert team.model("mine") is mine
    assert team.model("other") is other
    assert "instruct" in team.families


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nobody",
        "bundled:3",
        "bundled:x",
        "bundled:-1",
        "simulated:9",
        "simulated:",
        "hf:",
        7,
        None,
    ],
)
def test_an_unknown_name_lists_what_is_accepted(name: Any) -> None:
    with pytest.raises(ModelError, match='"hf:PATH_OR_ID"'):
        resolve_models([name], 1)


def test_a_model_on_a_server_is_named_by_a_string() -> None:
    name = "vllm:some/model@http://localhost:1/v1"
    team = resolve_models(name, 2)
    assert team.names == (name,)
    assert team.families == {"instruct"}
    assert isinstance(team.model(name), ApiModel)


def test_other_settings_make_another_client_of_the_same_server() -> None:
    name = "vllm:some/model@http://localhost:1/v1"
    eager, shy = (ApiSettings(max_concurrency=count) for count in (64, 2))
    first = resolve_models(name, 2, api=eager).model(name)
    assert resolve_models(name, 3, api=ApiSettings()).model(name) is first
    other = resolve_models(name, 2, api=shy).model(name)
    assert isinstance(other, ApiModel)
    assert other is not first
    assert other.settings is shy


def test_a_server_without_a_repetition_penalty_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ModelError, match='second_action="frequency_penalty"'):
        resolve_models("ollama:m", 3)
    assert resolve_models("ollama:m", 3, api=ApiSettings(second_action="none")).executors


def test_a_missing_key_is_reported_when_the_model_is_first_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    team = resolve_models("together:some/model", 3)
    with pytest.raises(ModelError, match="TOGETHER_API_KEY"):
        team.model("together:some/model")


def test_a_list_needs_one_model_per_executor() -> None:
    with pytest.raises(ModelError, match="set n_agents=2"):
        resolve_models(["simulated:0", "simulated:1"], 3)


def test_two_models_cannot_share_a_name() -> None:
    with pytest.raises(ModelError, match="two different model objects"):
        resolve_models([RecordingModel("x"), RecordingModel("x")], 2)
    with pytest.raises(ModelError, match="both a model's name and a model object's"):
        resolve_models([RecordingModel("simulated:0"), "simulated:0"], 2)
    with pytest.raises(ModelError, match="both a model's name and a model object's"):
        resolve_models("simulated", 2, RecordingModel("simulated:1"))


def test_a_named_model_is_built_once_per_process(monkeypatch: pytest.MonkeyPatch) -> None:
    close_shared_models()
    first = shared_model("simulated:1")
    assert isinstance(first, SimulatedModel)
    assert shared_model("simulated:1") is first
    assert resolve_models("simulated:1", 2).model("simulated:1") is first
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert shared_model("simulated:1") is not first, "a forked process builds its own"


def test_threads_that_come_together_share_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    close_shared_models()
    together = threading.Barrier(2)
    closed: list[object] = []

    class Model(RecordingModel):
        def close(self) -> None:
            closed.append(self)

    def build(name: str, settings: object) -> Model:
        together.wait(timeout=60)
        return Model(name)

    monkeypatch.setattr("econ_env.llm.registry._build", build)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(shared_model, ["simulated:0"] * 2)
    assert first is second
    assert len(closed) == 1
    assert first not in closed
    close_shared_models()


def test_closed_models_are_built_again() -> None:
    first = shared_model("simulated:0")
    close_shared_models()
    close_shared_models()
    assert shared_model("simulated:0") is not first


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("econ_env.llm.registry._BUNDLED_WEIGHTS", tmp_path)
    close_shared_models()
    with pytest.raises(ModelError, match="reinstall econ_env"):
        shared_model("bundled:0")


def test_bundled_models_run_on_the_cpu_so_that_every_machine_plays_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    built: list[dict[str, Any]] = []

    def build(path: str, **settings: Any) -> RecordingModel:
        built.append({"path": path, **settings})
        return RecordingModel()

    monkeypatch.setattr("econ_env.llm.registry._BUNDLED_WEIGHTS", tmp_path)
    monkeypatch.setattr("econ_env.llm.local.model.LocalModel", build)
    (tmp_path / "1").mkdir()
    close_shared_models()
    shared_model("bundled:1")
    close_shared_models()
    assert built == [{"path": str(tmp_path / "1"), "name": "bundled:1", "device": "cpu"}]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bundle", "bundled"),
        ("simulatd", "simulated"),
        ("bundled:cordinator", "bundled:coordinator"),
        ("togther:some/model", "together:some/model"),
        ("vlm:m@http://127.0.0.1:1/v1", "vllm:m@http://127.0.0.1:1/v1"),
        ("local:qwen2.5-coder-0.5", "qwen2.5-coder-0.5b"),
        ("Qwen2.5-Coder-1.5B", "local:qwen2.5-coder-1.5b"),
        ("my-model.gguf", "hf:my-model.gguf"),
    ],
)
def test_a_name_that_is_nearly_known_is_suggested(typed: str, meant: str) -> None:
    with pytest.raises(ModelError, match=f"Did you mean {re.escape(repr(meant))}"):
        resolve_models(typed, 3)
