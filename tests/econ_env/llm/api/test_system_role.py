"""Models without a system role: refused once, then asked in the user's message."""

from __future__ import annotations

from typing import Any

import pytest

from econ_env.llm.system_role import refuses_system
from econ_env.llm.types import ChatRequest, Message
from tests.econ_env.llm.api.support import model_on, request
from tests.misbehaving_faults import Exchange
from tests.misbehaving_server import MisbehavingServer

pytestmark = pytest.mark.slow

WORDS = (
    "System role not supported",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "Only user and assistant roles are supported!",
    "Developer instruction is not enabled for models/gemma-3-27b-it",
    "messages[0].role: 'system' is not allowed",
)


def commitment(seed: int = 7) -> ChatRequest:
    messages = (
        Message(role="system", content="Conclude."),
        Message(role="user", content=f"Responses {seed}"),
    )
    return ChatRequest(
        messages=messages,
        temperature=0.0,
        max_tokens=64,
        seed=seed,
        model="test-model",
        role="commit",
    )


class Gemma(MisbehavingServer):
    """A server whose model has no system role."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__()
        self._refusal = (status, words)

    def _respond(self, exchange: Exchange, chat: bool, path: str, body: Any) -> bool:
        if chat and any(message["role"] == "system" for message in body["messages"]):
            return exchange.error(*self._refusal, "server_error")
        return super()._respond(exchange, chat, path, body)


@pytest.mark.parametrize("words", WORDS)
def test_the_words_of_servers_are_understood(words: str) -> None:
    assert refuses_system(f"400: {words}")


@pytest.mark.parametrize("words", ["the operating system is down", "max_tokens is too large"])
def test_other_words_are_no_refusal_of_the_system_role(words: str) -> None:
    assert not refuses_system(words)


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("words", [WORDS[0], "something went wrong"])
def test_a_refused_system_message_is_put_into_the_user_message(
    status: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Gemma(status, words) as server:
        model = model_on(server)
        completions = [model.generate([commitment(seed)])[0] for seed in range(6)]
        model.close()
    assert [completion.error for completion in completions] == [None] * 6
    roles = [[message["role"] for message in seen.body["messages"]] for seen in server.chats]
    # By its words or by a 400 it is known at once; a mere 500 is tried twice, for two requests.
    refused = 1 if status == 400 or words in WORDS else 4
    assert roles.count(["system", "user"]) == refused
    assert len(server.chats) == 6 + refused
    assert server.chats[-1].body["messages"][0]["content"] == "Conclude.\n\nResponses 5"
    assert caplog.text.count("takes no system messages") == 1


def test_a_breakdown_that_passes_changes_no_message() -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        server.schedule("500")
        for seed in range(3):
            assert model.generate([commitment(seed)])[0].error is None
        server.schedule("500", "500", "400")
        assert model.generate([commitment(3)])[0].error is not None
        model.close()
    assert all(seen.body["messages"][0]["role"] == "system" for seen in server.chats)


def test_a_refusal_for_another_reason_is_reported_as_it_is() -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        server.schedule("422", "400")
        error = model.generate([commitment()])[0].error
        assert model.generate([request()])[0].error is None
        model.close()
    assert error is not None
    assert "not to my liking" in error
    assert len(server.chats) == 3
