"""A recorded run replays to the last bit in another process, without its models."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from econ_env.envs.parallel import EconParallelEnv
from econ_env.llm import BudgetExceeded, ReplayMiss, Usage
from econ_env.llm.api import AccountExhausted, ApiModel, ApiSettings
from tests.misbehaving_faults import RETRIED
from tests.misbehaving_server import Ask, MisbehavingServer
from tests.replayed import play_batch, play_one

pytestmark = pytest.mark.slow

KEY = "sk-a-key-that-must-stay-where-it-is"
HTTP: dict[str, Any] = {"dataset": "arithmetic", "embedder": "hashing", "prompts": "default"}


@pytest.fixture
def cache_path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


def replay(repository: Path, tmp_path: Path, settings: dict[str, Any], questions: int) -> str:
    """Results of another process without any model."""
    out = tmp_path / "replayed"
    asked = json.dumps({**settings, "questions": questions}, default=str)
    command = [sys.executable, "-m", "tests.replayed", asked, str(out)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out.read_text()


def failures(returned: str) -> list[str]:
    """Reasons of the failed episodes of a run."""
    lines = [json.loads(line) for line in returned.splitlines()]
    reasons = [line["failed"] for line in lines if isinstance(line, dict)]
    assert reasons, "a run has transcripts"
    return [reason for reason in reasons if reason is not None]


def served(ask: Ask) -> str:
    """An answer with a number that depends on all that was asked; JSON where that is asked for."""
    said = json.dumps([ask.messages, ask.temperature, ask.penalty, ask.seed])
    value = hashlib.blake2b(said.encode()).digest()[0] % 5
    if "confidence" in ask.messages[-1]["content"]:
        return json.dumps({"reason": "counted", "value": str(value), "confidence": 0.5})
    return f"First this, then that.\n#### {value}"


@pytest.mark.exhaustive
def test_bundled_models_replay_exactly_without_them(
    repository: Path, tmp_path: Path, cache_path: Path
) -> None:
    settings = {"dataset": "arithmetic", "bne_rounds": 2, "cache_path": str(cache_path)}
    recorded = play_batch({**settings, "cache": "read_write"}, questions=1)
    assert recorded == replay(repository, tmp_path, settings, 1)


SIMULATED = {"dataset": "simulated", "llm": "simulated"}


@pytest.mark.parametrize(
    ("questions", "settings"),
    [
        (0, {**SIMULATED, "bne_rounds": 3}),
        (5, {**SIMULATED, "bne_rounds": 2, "max_rounds": 2}),
        (3, {**SIMULATED, "group_size": 2}),
    ],
    ids=["one question", "a batch", "groups"],
)
def test_simulated_models_replay_exactly_without_them(
    repository: Path, tmp_path: Path, cache_path: Path, questions: int, settings: dict[str, Any]
) -> None:
    kept = {**settings, "seed": 5, "cache_path": str(cache_path)}
    play = (lambda s: play_batch(s, questions=questions)) if questions else play_one
    recorded = play({**kept, "cache": "read_write"})
    assert recorded == play({**settings, "seed": 5}), "recording changes nothing"
    assert recorded == play({**kept, "cache": "read_write"}), "nor does what is recorded"
    assert recorded == replay(repository, tmp_path, kept, questions)


@pytest.mark.exhaustive
def test_bundled_models_on_rows_of_gsm8k_replay_exactly(
    repository: Path, tmp_path: Path, cache_path: Path, data_dir: Path
) -> None:
    settings = {
        "dataset": "gsm8k",
        "data_path": str(data_dir / "gsm8k"),
        "cache_path": str(cache_path),
    }
    recorded = play_batch({**settings, "cache": "read_write"}, questions=1)
    assert recorded == replay(repository, tmp_path, settings, 1)


# "stall" and "drip" take as long as a time-out.
FAULTS = sorted(RETRIED.keys() - {"stall", "drip"})


def record_over_http(settings: dict[str, Any], questions: int) -> tuple[str, str]:
    """Results of a run at a server with every fault, and the name of the model."""
    quick = ApiSettings(backoff_base_s=0.01, read_timeout_s=0.5, max_unusable_replies=20)
    with MisbehavingServer("vllm", answer=served, key=KEY) as server:
        server.schedule(*FAULTS)
        server.mix(dict.fromkeys(FAULTS, 0.3 / len(FAULTS)))
        name = f"vllm:some/model@{server.url}"
        model = ApiModel(name, quick, api_key=KEY)
        recording = {**settings, "llm": model, "cache": "read_write"}
        recorded = play_batch(recording, questions=questions)
        asked = len(server.chats)
        assert {chat.fault for chat in server.chats} >= set(FAULTS)
        assert play_batch(recording, questions=questions) == recorded
        assert len(server.chats) == asked, "nothing is asked twice"
        model.close()
    return recorded, name


def test_a_run_at_a_server_that_misbehaves_replays_exactly_without_it(
    repository: Path, tmp_path: Path, cache_path: Path
) -> None:
    settings = {**HTTP, "cache_path": str(cache_path), "bne_rounds": 2}
    recorded, name = record_over_http(settings, questions=8)
    assert failures(recorded) == []
    assert recorded == replay(repository, tmp_path, {**settings, "offline_model": name}, 8)
    assert KEY.encode() not in cache_path.read_bytes()


@pytest.mark.parametrize("dataset", ["gsm8k", "svamp", "math500"])
def test_real_rows_at_a_server_that_misbehaves_replay_exactly(
    repository: Path, tmp_path: Path, cache_path: Path, data_dir: Path, dataset: str
) -> None:
    rows = {"dataset": dataset, "data_path": str(data_dir / dataset)}
    settings = {**HTTP, **rows, "cache_path": str(cache_path)}
    recorded, name = record_over_http(settings, questions=4)
    assert failures(recorded) == []
    assert recorded == replay(repository, tmp_path, {**settings, "offline_model": name}, 4)


def test_an_episode_that_failed_is_completed_by_a_second_recording(cache_path: Path) -> None:
    with MisbehavingServer("vllm", answer=served) as server:
        settings = {**HTTP, "llm": f"vllm:m@{server.url}", "cache_path": cache_path}
        server.schedule("400")
        first = play_one({**settings, "cache": "read_write"})
        assert len(failures(first)) == 1
        with pytest.raises(ReplayMiss, match="episodes that failed"):
            play_one({**settings, "cache": "replay"})
        second = play_one({**settings, "cache": "read_write"})
        assert failures(second) == []
    assert play_one({**settings, "cache": "replay"}) == second


def test_a_batch_that_ends_early_keeps_what_was_answered(cache_path: Path) -> None:
    with MisbehavingServer("vllm", answer=served) as server:
        model = f"vllm:m@{server.url}"
        config = EnvConfig(
            **HTTP, llm=model, cache="read_write", cache_path=cache_path, max_concurrency=1
        )
        env = BatchedEconEnv(config, num_questions=4)
        server.schedule(None, None, "quota")
        with pytest.raises(AccountExhausted):
            env.reset()
        env.close()
        before = len(server.chats)
        env = BatchedEconEnv(config, num_questions=4)
        env.reset()
        assert (env.usage.requests, env.usage_from_cache.requests) == (2, 2)
        assert len(server.chats) - before == 2
        env.close()


def different(env: EconParallelEnv) -> dict[str, Any]:
    """Actions of which none can share a request with another."""
    return {agent: np.full(2, 0.1 * i) for i, agent in enumerate(env.possible_agents)}


def test_a_budget_stops_the_environment_and_a_higher_one_goes_on_from_the_cache(
    cache_path: Path,
) -> None:
    with MisbehavingServer("vllm", answer=served) as server:
        settings: dict[str, Any] = {**HTTP, "llm": f"vllm:m@{server.url}", "cache": "read_write"}
        env = EconParallelEnv(**settings, cache_path=cache_path, max_requests=3)
        env.reset()
        with pytest.raises(BudgetExceeded, match="max_requests=3"):
            env.step(different(env))
        assert len(server.chats) == env.spending.requests == 3
        env.close()
        env.close()
        env = EconParallelEnv(**settings, cache_path=cache_path, max_requests=2)
        env.reset()
        env.step(different(env))
        assert env.transcript.failed is None
        assert len(server.chats) == 5, "one strategy, three responses, one commitment"
        assert (env.usage.requests, env.usage_from_cache.requests) == (2, 3)
        assert env.transcript.usage == env.usage + env.usage_from_cache
        env.close()


def test_other_settings_of_a_server_are_other_recordings(cache_path: Path) -> None:
    with MisbehavingServer("vllm", answer=served) as server:
        for second_action in ("repetition_penalty", "none"):
            env = EconParallelEnv(
                **HTTP,
                llm=f"vllm:m@{server.url}",
                cache="read_write",
                cache_path=cache_path,
                second_action=second_action,
            )
            env.reset()
            assert env.usage_from_cache == Usage()
            env.close()
        assert len(server.chats) == 2
