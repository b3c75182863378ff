"""The environment is served to clients of OpenEnv, who play what a local environment plays."""

from __future__ import annotations

import runpy
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

pytest.importorskip("openenv", reason="needs openenv: pip install 'econ-env[openenv]'")

import uvicorn
from openenv.core import GenericEnvClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import econ_env
from econ_env.errors import EconError
from econ_env.game.transcript import Transcript
from econ_env.integrations.openenv import EconAction, EconClient, make_app
from tests.documents import ROOT, blocks

pytestmark = [
    pytest.mark.slow,  # OpenEnv takes seconds to import
    # Those of OpenEnv's own dependencies.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

AGENTS = ["executor_0", "executor_1", "executor_2"]
TEAM: dict[str, Any] = {"dataset": "simulated", "llm": "simulated", "bne_rounds": 2}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve a team on a free port of this machine."""
    app = make_app(max_sessions=2, **TEAM)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def test_a_client_plays_what_a_local_environment_plays(address: str) -> None:
    local = econ_env.parallel_env(**TEAM)
    with EconClient(address).sync() as remote:
        for seed in (3, None):
            seen, _ = local.reset(seed=seed)
            result = remote.reset(seed=seed, episode_id="first")
            assert result.observation.question == local.transcript.question.text
            rounds = 0
            while not result.done:
                assert list(result.observation.observations) == local.agents
                for agent in local.agents:
                    np.testing.assert_array_equal(
                        np.float32(result.observation.observations[agent]), seen[agent]
                    )
                points = {a: local.action_space(a).sample().tolist() for a in local.agents}
                seen, rewards, ended, _, infos = local.step(points)
                result = remote.step(EconAction(actions=points))
                rounds += 1
                assert result.observation.rewards == rewards
                assert result.observation.infos == infos
                assert result.reward == infos["executor_0"]["team_reward"]
                assert result.done == ended["executor_0"]
                assert not result.observation.truncated
            state = remote.state()
            assert (state.episode_id, state.step_count) == ("first", rounds)
            np.testing.assert_array_equal(np.float32(state.state), local.state())
            assert Transcript.from_json(state.transcript) == local.transcript
            with pytest.raises(RuntimeError, match="reset"):
                remote.step(EconAction(actions=points))


def test_the_client_of_the_documentation_plays(address: str, tmp_path: Path) -> None:
    (client,) = (b for b in blocks(ROOT / "docs" / "openenv.md") if "EconClient(" in b.text)
    script = tmp_path / "client.py"
    script.write_text(client.text, encoding="utf-8")
    local = econ_env.parallel_env(**TEAM)
    local.reset(seed=0)
    while local.agents:
        _, _, _, _, infos = local.step({agent: np.zeros(2, np.float32) for agent in local.agents})
    reward = runpy.run_path(str(script))["play"](address)
    assert reward == infos["executor_0"]["team_reward"]


def test_sessions_are_apart_and_options_reach_the_game(address: str) -> None:
    with EconClient(address).sync() as first, EconClient(address).sync() as second:
        own = first.reset(question="What is 3 + 4?").observation
        other = second.reset(seed=1).observation
        assert own.question == "What is 3 + 4?" != other.question
        assert first.state().transcript["question"]["text"] == own.question


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"actions": {"executor_0": [0.0, 0.0]}}, "missing: executor_1, executor_2"),
        ({"actions": {"executor_0": ["import os", 0.0]}}, "Invalid message"),
        ({"actions": {"executor_0": [float("nan"), 0.0]}}, "Invalid message"),
        ({"actions": {"executor_0": [0.0]}}, "Invalid message"),
        ({"actions": {}, "code": "1"}, "Invalid message"),
    ],
)
def test_actions_are_numbers_for_every_executor(
    address: str, action: dict[str, Any], said: str
) -> None:
    with GenericEnvClient(address).sync() as client:
        client.reset(seed=0)
        with pytest.raises(RuntimeError, match=said):
            client.step(action)
        assert client.step({"actions": dict.fromkeys(AGENTS, (0.0, 0.0))}).observation["rewards"]


def test_a_malformed_option_is_told(address: str) -> None:
    with GenericEnvClient(address).sync() as client:
        for options, said in (
            ({"seed": "now"}, "seed must be a whole number"),
            ({"question": -1}, "has the questions"),
            ({"reward_weights": {"ts": "all"}}, "al"),
        ):
            with pytest.raises(RuntimeError, match=said):
                client.reset(**options)


def test_without_a_session_a_reset_answers_and_a_step_says_that_it_needs_one(address: str) -> None:
    seen = requests.post(f"{address}/reset", json={"seed": 0}, timeout=20)
    assert list(seen.json()["observation"]["observations"]) == AGENTS
    action = {"actions": dict.fromkeys(AGENTS, (0.0, 0.0))}
    refused = requests.post(f"{address}/step", json={"action": action}, timeout=20)
    assert refused.status_code == 409
    assert "reset" in refused.json()["detail"]
    schema = requests.get(f"{address}/schema", timeout=20).json()
    assert set(schema["action"]["required"]) == {"actions"}


def test_pages_of_other_hosts_are_refused(address: str) -> None:
    for origin, status in (("https://evil.example", 403), ("http://localhost:8000", 200)):
        answer = requests.post(f"{address}/reset", headers={"Origin": origin}, timeout=20)
        assert answer.status_code == status
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws{address[4:]}/ws", origin="https://evil.example")


def test_a_wrong_setting_is_told_before_serving() -> None:
    with pytest.raises(TypeError, match="did you mean 'n_agents'"):
        make_app(n_agent=3)
    with pytest.raises((EconError, ValueError), match="no_such"):
        make_app(dataset="no_such.jsonl")
