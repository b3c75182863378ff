"""Inspect with a real model behind its own provider, and its viewer in a real browser.

Skipped by name without the wheel ``xllamacpp`` or the public model, and without a browser.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

pytest.importorskip("inspect_ai", reason="needs inspect-ai: pip install 'econ-env[inspect]'")

from inspect_ai import Task, eval as evaluate  # noqa: I001
from inspect_ai.dataset import Sample
from inspect_ai.event import ModelEvent
from inspect_ai.log import read_eval_log
from inspect_ai.model import get_model
from inspect_ai.scorer import match

from econ_env.commands.cli import main
from econ_env.game.transcript import Transcript
from econ_env.integrations.inspect import TRANSCRIPT, econ_solver
from econ_env.llm.local.catalogue import CATALOGUE, file_of
from tests.browser import Tab, browser_tab, find_browser
from tests.econ_env.llm.api.real_servers import find_program, running

pytestmark = [
    pytest.mark.slow,
    # Those of Inspect's own dependencies.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

HOSTILE = "![x](http://picture.example/x.png) <img src='http://picture.example/y.png'> I say 7."
START_TIMEOUT_S = 120.0


def test_a_team_of_a_real_model_solves_a_task_and_its_game_is_exported(tmp_path: Path) -> None:
    program, hint = find_program("xllamacpp")
    if program is None:
        pytest.skip(f"xllamacpp server: {hint}")
    public = CATALOGUE["smollm2-135m"]
    file = file_of(public)
    if file is None:
        pytest.skip(f"{public.name} is not on this machine: econ-env models fetch {public.name}")
    tokens = {f"max_tokens_{part}": 24 for part in ("strategy", "execute", "commit")}
    with running("xllamacpp", program, file, tmp_path) as server:
        (log,) = evaluate(
            Task(
                dataset=[Sample(input="Ann has 3 pens and buys 4. How many has she?", target="7")],
                solver=econ_solver(n_agents=2, commitment_rule="coordinator", **tokens),
                scorer=match(numeric=True),
            ),
            model=get_model(
                f"openai-api/local/{server.model}", base_url=server.url, api_key="none"
            ),
            log_dir=str(tmp_path / "own"),
            display="none",
        )
    assert log.status == "success", log.error
    assert log.samples is not None
    (sample,) = log.samples
    calls = [event for event in sample.events if isinstance(event, ModelEvent)]
    assert len(calls) == 4  # a strategy, two responses, a commitment
    record = Transcript.from_json(sample.store[TRANSCRIPT])
    (played,) = record.rounds()
    written = [one.text for one in record.strategies]
    written += [one.text for one in played.executors]
    written += [one.text for one in played.commitments]
    assert written == [call.output.completion for call in calls]
    spent = sum(usage.output_tokens for usage in sample.model_usage.values())
    assert 0 < spent == record.usage.completion_tokens <= 4 * 24
    games = tmp_path / "games.jsonl"
    games.write_text(json.dumps(sample.store[TRANSCRIPT]))
    assert main(["export", "inspect", str(games), "--out", str(tmp_path / "logs")]) == 0
    (path,) = (tmp_path / "logs").iterdir()
    exported = read_eval_log(str(path)).samples
    assert exported is not None
    again = [event for event in exported[0].events if isinstance(event, ModelEvent)]
    assert [call.output.completion for call in again] == written


@pytest.fixture
def game(tmp_path: Path) -> dict[str, Any]:
    """Play a game, one of whose responses would load pictures, and export it."""
    games = tmp_path / "games.jsonl"
    team = ["--dataset", "simulated", "--llm", "simulated", "--questions", "1", "--show", "0"]
    assert main(["play", *team, "--out", str(games)]) == 0
    record: dict[str, Any] = json.loads(games.read_text())
    record["decisions"][0]["rounds"][0]["executors"][1]["text"] = HOSTILE
    games.write_text(json.dumps(record))
    assert main(["export", "inspect", str(games), "--out", str(tmp_path / "logs")]) == 0
    return record


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[str]:
    """Start ``inspect view`` on this machine, and return its address."""
    if find_browser() is None:
        pytest.skip("no browser: install Chromium, or name one with ECON_BROWSER")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "inspect_ai", "view", "start", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--log-dir", str(tmp_path / "logs")],
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not _answers(address):
        assert process.poll() is None
        assert time.monotonic() < deadline_s, "the viewer did not start"
        time.sleep(0.1)
    yield address
    process.terminate()
    process.wait(20)


def test_the_viewer_shows_every_prompt_response_commitment_and_score(
    tmp_path: Path, game: dict[str, Any], viewer: str
) -> None:
    played = game["decisions"][0]["rounds"]
    calls = list(game["strategies"])
    for one in played:
        calls += [*one["executors"], *(each for each in one["commitments"] if each["called"])]
    texts = [one["text"] for one in calls if not one["text"].startswith("{")]
    texts += [message["content"] for one in calls for message in one["messages"]]
    last = played[-1]["commitments"][-1]
    rewards = game["decisions"][0]["rewards"]
    with browser_tab(tmp_path / "profile") as tab:
        tab.size(1400, 1000)
        tab.open(viewer)  # a log of one sample opens there
        wait_for(tab, "document.body.innerText.includes('EXPLANATION')")
        shown = plain(tab.run("document.body.innerText"))
        assert [text for text in texts if plain(text) not in shown] == []
        assert last["value"] in shown
        assert plain(last["reason"]) in shown
        for value in (rewards["team"], *rewards["agents"]):
            assert f"{value:.5g}" in shown
        # The viewer asks for a file that a folder of logs may have.
        assert [one for one in tab.complaints if "/api/flow" not in one] == []
        elsewhere = [one for one in tab.requests if not one.startswith((viewer, "data:", "blob:"))]
        assert elsewhere == ["about:blank"] * len(elsewhere)


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=20).ok
    except requests.ConnectionError:
        return False


def wait_for(tab: Tab, script: str) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not tab.run(script):
        assert time.monotonic() < deadline_s, tab.run("document.body.innerText")
        time.sleep(0.1)


def plain(text: str) -> str:
    return " ".join(text.split())
