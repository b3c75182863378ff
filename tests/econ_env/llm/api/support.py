"""Helpers of the tests of the client of model servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from econ_env.llm.api import ApiModel, ApiSettings
from econ_env.llm.types import ChatRequest, Message
from tests.misbehaving_server import MisbehavingServer

KEY = "sk-test-0123456789abcdef"


def settings(**changes: Any) -> ApiSettings:
    """Settings with which nothing waits for long."""
    quick: dict[str, Any] = {
        "second_action": "none",
        "backoff_base_s": 0.001,
        "backoff_max_s": 0.004,
        "read_timeout_s": 5.0,
        "request_budget_s": 20.0,
    }
    return ApiSettings(**(quick | changes))


def model_on(server: MisbehavingServer, **changes: Any) -> ApiModel:
    """A client of the test's server, in the profile of the server's dialect."""
    name = f"{server.dialect.name}:test-model@{server.url}"
    return ApiModel(name, settings(**changes), api_key=KEY)


def request(text: str = "What is 3 + 4?", *, seed: int = 7, **changes: Any) -> ChatRequest:
    """A request of an executor."""
    usual: dict[str, Any] = {
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 64,
        "model": "test-model",
        "role": "execute",
    }
    messages = (Message(role="user", content=text),)
    return ChatRequest(messages=messages, seed=seed, **(usual | changes))


def client_threads() -> list[threading.Thread]:
    """Threads that clients have started."""
    return [one for one in threading.enumerate() if one.name.startswith("econ-api")]


def open_sockets() -> int:
    """Sockets that this process holds."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        # Other threads close theirs meanwhile, and the listing's own is gone already.
        with suppress(FileNotFoundError):
            count += str(descriptor.readlink()).startswith("socket:")
    return count


def eventually(true: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """True if something becomes true; the end of another thread takes a moment."""
    end_s = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.01)
    return True
