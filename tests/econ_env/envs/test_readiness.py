"""Models are checked before anything large is fetched: keys, then addresses."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from econ_env.config import EnvConfig
from econ_env.envs.readiness import check_addresses, check_models
from econ_env.llm.api.errors import KeyProblem
from econ_env.llm.types import ModelError


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("econ_env.envs.readiness.getproxies", dict)


def test_a_missing_key_is_said_before_data_and_embedder_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    config = EnvConfig(llm="together:some/model", dataset="owner/no-such-data")
    with pytest.raises(KeyProblem, match="TOGETHER_API_KEY"):
        check_models(config)


def test_a_public_model_that_was_not_fetched_is_said_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECON_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="econ-env models fetch smollm2-135m"):
        check_models(EnvConfig(llm="local:smollm2-135m", dataset="owner/no-such-data"))


def test_a_server_that_is_not_there_is_said_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        check_addresses([f"vllm:m@http://127.0.0.1:{port}/v1"])
    with pytest.raises(ModelError, match=f"nothing answers at 127.0.0.1:{port}"):
        check_addresses([f"vllm:m@http://127.0.0.1:{port}/v1"])


@pytest.mark.parametrize("embedder", [None, "minilm", "owner/another-embedder"])
def test_an_address_is_checked_before_an_embedder_is_looked_for(embedder: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    address = f"vllm:m@http://127.0.0.1:{port}/v1"
    with pytest.raises(ModelError, match="nothing answers at"):
        check_models(EnvConfig(llm=address, embedder=embedder))
    check_models(EnvConfig(llm=address, embedder="hashing"))


def test_a_cache_that_may_hold_all_answers_needs_no_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    kept = tmp_path / "completions.sqlite"
    config = EnvConfig(llm="together:some/model", cache="read_write", cache_path=kept)
    with pytest.raises(KeyProblem):
        check_models(config)
    kept.touch()
    check_models(config)
