"""Measure the client of model servers against the ideal, and the mock server's ceiling.

With c requests in flight and a latency of l seconds no client gets more than c / l answers per
second. That is the ideal.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from benchmarks.throughput.api_requests import CpuTime, chat_requests, check, client
from benchmarks.throughput.mock_server import COMPLETION, MockServer, mock_server
from benchmarks.throughput.settings import Load, Result, Settings
from benchmarks.throughput.timing import in_turn, spread

CEILING_CONNECTIONS = 64
CEILING_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 800\r\n\r\n" + b" " * 800
)


def measure_api_client(settings: Settings) -> Result:
    """Measure throughput against the ideal, and the server's ceiling."""
    return {
        **_against_the_ideal(settings.api, settings.repeats),
        "mock_server": _ceiling(settings.api, settings.repeats),
    }


def _against_the_ideal(load: Load, repeats: int) -> Result:
    count = load.in_flight * load.waves
    requests = chat_requests(count)
    cpu = CpuTime()
    with mock_server(load.latency_s) as server, client(server, load.in_flight) as model:

        def answers(repeat: int) -> int:
            check(model.generate(requests))
            return count

        rates = in_turn({"econ_env": cpu.of(answers)}, repeats)["econ_env"]
    ideal = load.in_flight / load.latency_s
    return {
        "in_flight": load.in_flight,
        "latency_s": load.latency_s,
        "requests": count,
        **spread("requests_per_second", rates),
        "ideal_requests_per_second": ideal,
        **spread("ratio", [rate / ideal for rate in rates]),
        "promised_ratio": 0.85,
        **spread("cpu_ms_per_request", cpu.milliseconds),
    }


def _ceiling(load: Load, repeats: int) -> Result:
    """Measure the mock server's rate without latency, over bare connections.

    The clients use the same machine, so this is a lower bound of the server's rate.
    """
    with mock_server(0.0) as server:

        def answers(repeat: int) -> int:
            asyncio.run(_ask(server, CEILING_CONNECTIONS, load.ceiling_requests))
            return server.counts()["requests"]

        rates = in_turn({"bare": answers}, repeats)["bare"]
    return {"connections": CEILING_CONNECTIONS, **spread("requests_per_second", rates)}


class _Bare(asyncio.Protocol):
    """Connection that sends the same bytes again as soon as an answer is complete."""

    def __init__(self, requests: int) -> None:
        self._left = requests
        self._missing = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._missing -= len(data)
        if self._missing == 0:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the mock server hung up"))

    def _ask(self) -> None:
        if self._left == 0:
            self.done.set_result(None)
            self._transport.close()
            return
        self._left -= 1
        self._missing = len(COMPLETION)
        self._transport.write(CEILING_REQUEST)


async def _ask(server: MockServer, connections: int, requests: int) -> None:
    """Send ``requests`` over ``connections`` and read all answers."""
    loop = asyncio.get_running_loop()
    shares = [len(range(first, requests, connections)) for first in range(connections)]
    made = [
        await loop.create_connection(partial(_Bare, share), "127.0.0.1", server.port)
        for share in shares
    ]
    await asyncio.gather(*[connection.done for _, connection in made])
