"""Requests go over the wire whole, through the proxy that the environment names."""

from __future__ import annotations

from typing import Any

import pytest
import urllib3.connection

from econ_env.llm.api import ApiModel, WrongAddress
from tests.econ_env.llm.api.support import model_on, request, settings
from tests.misbehaving_server import MisbehavingServer


@pytest.fixture
def no_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy yet, and no host that is exempt from one."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_head_and_body_of_a_request_leave_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bytes] = []
    plain = urllib3.connection.HTTPConnection.send

    def noted(self: Any, data: bytes) -> None:
        pieces.append(data)
        plain(self, data)

    monkeypatch.setattr(urllib3.connection.HTTPConnection, "send", noted)
    with MisbehavingServer("vllm") as server:
        model = model_on(server)
        for seed in (1, 2):
            assert model.generate([request("What is 3 + 4?", seed=seed)])[0].error is None
        model.close()
    assert len(pieces) == 2
    assert all(b"Content-Length" in piece and b"What is 3 + 4?" in piece for piece in pieces)


def test_requests_go_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, no_exceptions: None
) -> None:
    with MisbehavingServer("vllm") as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        model = ApiModel("vllm:m@http://model.example/v1", settings())
        # The proxy of this test passes nothing on.
        with pytest.raises(WrongAddress, match="404"):
            model.generate([request()])
        model.close()
    assert [seen.path for seen in proxy.seen] == ["http://model.example/v1/chat/completions"]


def test_a_proxy_that_is_not_there_is_named_as_what_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, no_exceptions: None
) -> None:
    with MisbehavingServer("vllm") as gone:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{gone.port}")
    # Shorter than the shortest connect time-out, so that it is given up at the first attempt.
    model = ApiModel("vllm:m@http://model.example/v1", settings(connect_timeout_s=0.001))
    with pytest.raises(WrongAddress, match="cannot be reached"):
        model.generate([request()])
    model.close()
