"""The hub of Hugging Face: what can be its id, and whether it answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from econ_env import hub


class Answers(BaseHTTPRequestHandler):
    """A hub that only says that it is there, or that a path is absent or broken."""

    def do_HEAD(self) -> None:
        self.send_response({"/absent": 404, "/broken": 503}.get(self.path, 200))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No offline mode, and no proxy."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return monkeypatch


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_hub_that_answers_is_within_reach_unless_offline_mode_is_set(
    online: pytest.MonkeyPatch, address: str
) -> None:
    online.setattr(hub, "PATIENCE", 60.0)
    online.setattr(constants, "ENDPOINT", address)
    assert hub.within_reach()
    online.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub.within_reach()


def test_a_hub_that_refuses_is_not_within_reach(online: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    online.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    assert not hub.within_reach()


def test_a_hub_that_never_answers_is_given_up_on(online: pytest.MonkeyPatch) -> None:
    forever = threading.Event()
    online.setattr(hub, "PATIENCE", 0.05)

    def hang(*args: object, **kwargs: object) -> None:
        forever.wait(30)
        raise requests.ConnectionError

    online.setattr(requests, "head", hang)
    assert not hub.within_reach()
    forever.set()


@pytest.mark.parametrize(("path", "reached"), [("absent", True), ("broken", False)])
def test_a_refusal_is_an_answer_and_a_failing_server_is_none(
    online: pytest.MonkeyPatch, address: str, path: str, reached: bool
) -> None:
    online.setattr(hub, "PATIENCE", 60.0)
    online.setattr(constants, "ENDPOINT", address)
    assert hub.within_reach(path) == reached


@pytest.mark.parametrize(
    ("name", "possible"),
    [("Qwen/Qwen2.5-0.5B", True), ("gpt2", True)]
    + [(name, False) for name in ("./a/b", "a/b/c", "", "a/.b", "a/b-", "a--b", "a..b", "a.git")],
)
def test_what_can_be_an_id_is_what_the_client_of_the_hub_accepts(name: str, possible: bool) -> None:
    assert hub.is_hub_id(name) == possible
    with contextlib.nullcontext() if possible else pytest.raises(HFValidationError):
        try_to_load_from_cache(name, "config.json")
