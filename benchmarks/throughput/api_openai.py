"""Measure requests per second without latency, against the official ``openai`` client.

That client is used in the two usual ways for many requests at once: its blocking form in a pool of
threads, and its asynchronous form with ``asyncio.gather`` under a semaphore. All three clients send
the same messages and parameters, have the same number of requests in flight, keep their
connections, and read the text of the answer.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from benchmarks.throughput.api_requests import (
    MAX_TOKENS,
    TEMPERATURE,
    TOP_P,
    CpuTime,
    chat_requests,
    check,
    client,
)
from benchmarks.throughput.mock_server import TEXT, MockServer, mock_server
from benchmarks.throughput.settings import Result, Settings
from benchmarks.throughput.timing import in_turn, spread, spreads
from econ_env.llm.types import ChatRequest

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion


def measure_api_openai(settings: Settings) -> Result:
    """Measure the rates of the three clients, ratios per repeat, and CPU time per request."""
    load = settings.api
    count, in_flight = load.compared_requests, load.compared_in_flight
    requests = chat_requests(count)
    with ExitStack() as stack:
        server = stack.enter_context(mock_server(0.0))
        model = stack.enter_context(client(server, in_flight))
        threads = stack.enter_context(_Threads(server, in_flight))
        tasks = stack.enter_context(_Tasks(server, in_flight))

        def econ_env(repeat: int) -> int:
            check(model.generate(requests))
            return count

        clients = {
            "econ_env": econ_env,
            "openai_threads": lambda repeat: threads.ask(requests),
            "openai_async": lambda repeat: tasks.ask(requests),
        }
        cpu = {name: CpuTime() for name in clients}
        rates = in_turn({name: cpu[name].of(clients[name]) for name in clients}, settings.repeats)
    ours, *theirs = rates.values()
    ratios = [our / max(their) for our, their in zip(ours, zip(*theirs, strict=True), strict=True)]
    return {
        "openai_version": version("openai"),
        "in_flight": in_flight,
        "requests": count,
        **spreads("requests_per_second", rates),
        # Against the faster of the openai clients in each repeat.
        **spread("ratio", ratios),
        "promised_ratio": 3.0,
        **spreads("cpu_ms_per_request", {name: cpu[name].milliseconds for name in clients}),
    }


class _Threads:
    """``openai.OpenAI`` in a pool of threads."""

    def __init__(self, server: MockServer, in_flight: int) -> None:
        from openai import OpenAI

        self._client = OpenAI(base_url=server.url, api_key="no-key-is-needed")
        self._pool = ThreadPoolExecutor(in_flight)

    def __enter__(self) -> _Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._client.close()

    def ask(self, requests: list[ChatRequest]) -> int:
        """Answer all requests; returns how many."""
        return sum(self._pool.map(self._one, requests))

    def _one(self, request: ChatRequest) -> int:
        return _checked(self._client.chat.completions.create(**_arguments(request)))


class _Tasks:
    """``openai.AsyncOpenAI`` with ``asyncio.gather``."""

    def __init__(self, server: MockServer, in_flight: int) -> None:
        from openai import AsyncOpenAI

        self._client = AsyncOpenAI(base_url=server.url, api_key="no-key-is-needed")
        self._in_flight = in_flight
        # One loop for all repeats: connections belong to the loop in which they were made.
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> _Tasks:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()

    def ask(self, requests: list[ChatRequest]) -> int:
        """Answer all requests; returns how many."""
        return self._loop.run_until_complete(self._all(requests))

    async def _all(self, requests: list[ChatRequest]) -> int:
        places = asyncio.Semaphore(self._in_flight)

        async def one(request: ChatRequest) -> int:
            async with places:
                return _checked(await self._client.chat.completions.create(**_arguments(request)))

        return sum(await asyncio.gather(*map(one, requests)))


def _arguments(request: ChatRequest) -> dict[str, Any]:
    """Return the arguments that make the ``openai`` client send what ours sends."""
    return {
        "model": request.model,
        "messages": [{"role": each.role, "content": each.content} for each in request.messages],
        "temperature": TEMPERATURE,
        "top_p": TOP_P,
        "max_completion_tokens": MAX_TOKENS,
        "seed": request.seed,
    }


def _checked(completion: ChatCompletion) -> int:
    if completion.choices[0].message.content != TEXT:
        raise SystemExit(f"the mock server's answer was not understood: {completion}")
    return 1
