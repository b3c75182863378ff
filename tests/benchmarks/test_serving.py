"""Tests of the served bundled models: same texts as in this process, all parameters obeyed."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving.protocol import Refused, read_request
from benchmarks.serving.server import LARGEST_BODY, BundledServer
from econ_env.llm.api import ApiModel
from econ_env.llm.registry import shared_model
from econ_env.llm.types import ChatRequest, Message

pytestmark = pytest.mark.slow

BODY: dict[str, Any] = {"model": "bundled:1", "messages": [{"role": "user", "content": "plan: hi"}]}
REQUEST = ChatRequest(
    messages=(Message(role="user", content="solve: Ann has 3 pens and buys 14. How many now?"),),
    temperature=1.3,
    repetition_penalty=1.1,
    top_p=0.9,
    max_tokens=12,
    seed=7,
    model="bundled:0",
    role="execute",
)


@pytest.fixture(scope="module")
def server() -> Iterator[BundledServer]:
    with BundledServer() as server:
        yield server


@pytest.fixture(scope="module")
def client(server: BundledServer) -> Iterator[ApiModel]:
    model = ApiModel(f"vllm:bundled:0@{server.url}")
    yield model
    model.close()


def in_process(*requests: ChatRequest) -> list[str]:
    own = [replace(request, model="bundled:0") for request in requests]
    return [answer.text for answer in shared_model("bundled:0").generate(own)]


def send(server: BundledServer, body: bytes, path: str = "/v1/chat/completions") -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST" if body else "GET", path, body or None)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_request_is_answered_as_in_this_process_whatever_else_is_in_flight(
    client: ApiModel,
) -> None:
    requests = [
        replace(REQUEST, model=client.name, seed=seed, temperature=0.5 + 0.1 * seed)
        for seed in range(8)
    ]
    alone = client.generate(requests[7:8])[0]
    assert [alone.text] == in_process(requests[7])
    assert alone.usage.completion_tokens > 0
    together = client.generate(requests)
    assert together[7] == alone
    assert [answer.text for answer in together] == in_process(*requests)


def test_every_sampling_parameter_takes_effect(client: ApiModel) -> None:
    changes: list[dict[str, Any]] = [
        {"temperature": 0.0},
        {"repetition_penalty": 1.5},
        {"top_p": 0.1},
        {"seed": 8},
        {"max_tokens": 3},
    ]
    requests = [replace(REQUEST, model=client.name, **change) for change in changes]
    answers = client.generate(requests)
    assert [answer.text for answer in answers] == in_process(*requests)
    assert len({REQUEST, *requests}) == len(changes) + 1
    assert answers[-1].finish_reason == "length"


def test_several_choices_have_the_seeds_that_follow(server: BundledServer) -> None:
    message = {"role": "user", "content": REQUEST.messages[0].content}
    body = {"model": "bundled:0", "messages": [message], "n": 3, "seed": 7, "max_tokens": 12}
    status, reply = send(server, json.dumps(body).encode())
    plain = replace(REQUEST, temperature=1.0, repetition_penalty=1.0, top_p=1.0)
    alone = [shared_model("bundled:0").generate([replace(plain, seed=7 + k)])[0] for k in range(3)]
    assert status == 200
    assert [c["message"]["content"] for c in reply["choices"]] == [one.text for one in alone]
    assert reply["usage"]["prompt_tokens"] == alone[0].usage.prompt_tokens
    written = sum(one.usage.completion_tokens for one in alone)
    assert reply["usage"]["completion_tokens"] == written


def test_the_models_are_listed(server: BundledServer) -> None:
    status, reply = send(server, b"", "/v1/models")
    assert status == 200
    assert {"bundled:0", "bundled:1", "bundled:2"} <= {model["id"] for model in reply["data"]}


@pytest.mark.parametrize(
    ("body", "path", "status", "message"),
    [
        (b"{", "/v1/chat/completions", 400, "not JSON"),
        (json.dumps(BODY).encode(), "/v1/completions", 404, "/v1/chat/completions"),
        (json.dumps({**BODY, "max_tokens": 10**6}).encode(), "/v1/chat/completions", 400, "holds"),
    ],
    ids=["malformed", "another path", "too long"],
)
def test_what_cannot_be_answered_is_refused_over_http(
    server: BundledServer, body: bytes, path: str, status: int, message: str
) -> None:
    found, reply = send(server, body, path)
    assert found == status
    assert message in reply["error"]["message"]


@pytest.mark.parametrize("length", [str(LARGEST_BODY + 1), "9" * 5000, "-1", "1e3", "\u0663"])
def test_a_body_without_a_sound_length_is_not_read(server: BundledServer, length: str) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("Content-Length", length.encode("utf-8"))
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 413
        assert "Content-Length" in json.loads(response.read())["error"]["message"]
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"model": "gpt-4"}, 404, "there are bundled:1"),
        ({"messages": []}, 400, "at least one message"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "needs a role"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, 400, "and a text"),
        ({"temperature": "hot"}, 400, "temperature must be a number"),
        ({"temperature": 10**400}, 400, "temperature must be a number"),
        ({"seed": -1}, 400, "seed must be a whole number"),
        ({"n": 0}, 400, "n must be a whole number from 1"),
        ({"top_k": 5}, 400, "top_k is not supported"),
        ({"stream": True}, 400, "stream is not supported"),
        ({"logit_bias": {}}, 400, "no parameter 'logit_bias'"),
    ],
)
def test_what_would_be_ignored_is_refused(
    change: dict[str, Any], status: int, message: str
) -> None:
    with pytest.raises(Refused, match=message) as refused:
        read_request(json.dumps({**BODY, **change}).encode(), ["bundled:1"])
    assert refused.value.status == status


def test_values_that_change_nothing_are_accepted() -> None:
    neutral = {"top_k": -1, "min_p": 0.0, "stream": False, "user": "me", "n": 2, "seed": 2**31 - 1}
    asked = read_request(json.dumps({**BODY, **neutral}).encode(), ["bundled:1"])
    assert [choice.seed for choice in asked.choices] == [2**31 - 1, 0]


def test_a_port_that_is_in_use_is_said(
    server: BundledServer, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = runpy.run_path(str(repository / "benchmarks" / "serve_bundled.py"))
    assert script["main"](script["Flags"](port=server.port)) == 2
    assert f"port {server.port} cannot be used" in capsys.readouterr().err
