"""A chat server that answers every request with the same text after a fixed time.

It uses only the standard library and runs in a process of its own, so that benchmarks measure the
client:

    python benchmarks/throughput/mock_server.py LATENCY_S

It prints the port that it listens on (at 127.0.0.1) and ends when its standard input is closed.
``POST`` to any path is a chat request; ``GET`` returns, as JSON, the number of chat requests and
the largest number in flight since the last ``GET``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

TEXT = (
    "She starts with 16 eggs a day, of which 3 are eaten and 4 are baked, so 16 - 3 - 4 = 9 eggs "
    "are left for the market. Each of them brings 2 dollars, and 9 * 2 = 18 dollars. Checking the "
    "units: eggs a day times dollars an egg are dollars a day, which is what the question asks "
    "for, and nothing of it was counted twice. The final answer is \\boxed{18}"
)
"""Text with the usual length of a response, which the parsers of all roles can read."""

BACKLOG = 4096
"""Number of connections that may wait to be accepted: more than any benchmark opens at once."""


def _response(body: Any) -> bytes:
    data = json.dumps(body).encode("ascii")
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(data)
    ) + data


COMPLETION = _response(
    {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 1_763_000_000,
        "model": "mock",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 120, "completion_tokens": 96, "total_tokens": 216},
    }
)


class _Counts:
    """Counts over all connections of the server."""

    def __init__(self) -> None:
        self.requests = 0
        self.in_flight = 0
        self.most_in_flight = 0

    def arrive(self) -> None:
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def take(self) -> Any:
        """Return the counts since the last call."""
        taken = {"requests": self.requests, "most_in_flight": self.most_in_flight}
        self.requests, self.most_in_flight = 0, self.in_flight
        return taken


class _Connection(asyncio.Protocol):
    """One connection, with one request after another."""

    def __init__(self, counts: _Counts, latency_s: float) -> None:
        self._counts = counts
        self._latency_s = latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (request := self._next()) is not None:
            if request.startswith(b"GET"):
                self._transport.write(_response(self._counts.take()))
                continue
            self._counts.arrive()
            if self._latency_s:
                asyncio.get_running_loop().call_later(self._latency_s, self._answer)
            else:
                self._answer()

    def _next(self) -> bytes | None:
        """Take the next complete request, and return its head; None if none is complete."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._received[:end]
        _, _, rest = head.lower().partition(b"\r\ncontent-length:")
        length = int(rest.partition(b"\r\n")[0] or 0)
        if len(self._received) < end + 4 + length:
            return None
        self._received = self._received[end + 4 + length :]
        return head

    def _answer(self) -> None:
        self._counts.in_flight -= 1
        self._transport.write(COMPLETION)


async def _serve(latency_s: float) -> None:
    counts = _Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(counts, latency_s), "127.0.0.1", 0, backlog=BACKLOG
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class MockServer:
    """Address of a running server."""

    port: int
    latency_s: float
    """Time between a request and its answer, in seconds."""

    @property
    def url(self) -> str:
        """Base URL of the chat endpoint."""
        return f"http://127.0.0.1:{self.port}/v1"

    def counts(self) -> dict[str, int]:
        """Return ``requests`` and ``most_in_flight`` since the last call."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", "/counts")
            counts: dict[str, int] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return counts


@contextmanager
def mock_server(latency_s: float) -> Iterator[MockServer]:
    """Run a server in a process of its own, which ends with the block."""
    command = [sys.executable, __file__, str(latency_s)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("Popen opens the requested pipes")
        try:
            yield MockServer(port=int(process.stdout.readline()), latency_s=latency_s)
        finally:
            process.stdin.close()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
