"""Faults between a client and a chat server, one function each.

A fault answers one request in its own way, and returns True if the connection can be kept.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from types import MappingProxyType
from typing import Any

from tests.misbehaving_dialects import Dialect

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


@dataclass(kw_only=True)
class Exchange:
    """A request that waits for its answer."""

    connection: socket.socket
    dialect: Dialect
    key: str
    """Key that the client sent; empty without one."""
    wait_s: float
    stopping: threading.Event
    good: Callable[[], dict[str, Any]]
    """Function that makes the body of the right answer."""

    def send(
        self,
        status: int,
        payload: Any,
        headers: Mapping[str, str] | None = None,
        *,
        length: int | None = None,
    ) -> bool:
        """Send a whole answer; bytes as they are, anything else as JSON."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        kind = "text/html" if data.startswith(b"<") else "application/json"
        fields = {
            "Content-Type": kind,
            "Content-Length": str(len(data) if length is None else length),
            **(headers or {}),
        }
        head = f"HTTP/1.1 {status} Reason\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.connection.sendall(head.encode("latin-1") + b"\r\n" + data)
        return True

    def error(
        self, status: int, message: str, kind: str, headers: Mapping[str, str] | None = None
    ) -> bool:
        """Send an error in the words of the dialect."""
        return self.send(status, self.dialect.error(status, message, kind), headers)

    def reset(self) -> bool:
        """Break the connection: the client reads a reset."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False


Misdeed = Callable[[Exchange], bool]


def _status(status: int, message: str, kind: str) -> Misdeed:
    return lambda exchange: exchange.error(status, message, kind)


def _limited(headers: Callable[[float], dict[str, str]], exchange: Exchange) -> bool:
    return exchange.error(
        429, "Rate limit reached", "rate_limit_exceeded", headers(exchange.wait_s)
    )


def _reset(exchange: Exchange) -> bool:
    return exchange.reset()


def _reset_midway(exchange: Exchange) -> bool:
    data = json.dumps(exchange.good()).encode()
    exchange.send(200, data[: len(data) // 2], length=len(data))
    return exchange.reset()


def _close(exchange: Exchange) -> bool:
    return False


def _stall(exchange: Exchange) -> bool:
    """Say nothing until the client has gone."""
    exchange.connection.recv(1)
    return False


def _drip(exchange: Exchange) -> bool:
    """Send a byte now and then, so that no single read takes too long."""
    data = json.dumps(exchange.good()).encode()
    exchange.send(200, b"", length=len(data))
    for byte in data:
        if exchange.stopping.is_set():
            return False
        exchange.connection.sendall(bytes([byte]))
        time.sleep(0.02)
    return True


def _short_body(exchange: Exchange) -> bool:
    data = json.dumps(exchange.good()).encode()
    exchange.send(200, data[:-7], length=len(data))
    return False


def _truncated_json(exchange: Exchange) -> bool:
    return exchange.send(200, json.dumps(exchange.good()).encode()[:-7])


def _error_object(exchange: Exchange) -> bool:
    error = exchange.dialect.error(500, "the engine has died", "server_error")
    return exchange.send(200, error)


def _with(change: Callable[[dict[str, Any], Exchange], None]) -> Misdeed:
    """Return a fault that sends the right answer after a change."""

    def misdeed(exchange: Exchange) -> bool:
        body = exchange.good()
        change(body, exchange)
        return exchange.send(200, body)

    return misdeed


def _each_message(change: Callable[[dict[str, Any]], None]) -> Misdeed:
    def apply(body: dict[str, Any], exchange: Exchange) -> None:
        for choice in body["choices"]:
            change(choice["message"])

    return _with(apply)


def _finish(reason: str | None) -> Misdeed:
    def apply(body: dict[str, Any], exchange: Exchange) -> None:
        for choice in body["choices"]:
            choice["finish_reason"] = reason

    return _with(apply)


def _only_reasoning(message: dict[str, Any]) -> None:
    message["reasoning_content"] = message["content"]
    message["content"] = None


def _think(message: dict[str, Any]) -> None:
    message["content"] = f"<think>is it 7?\n</think>\n\n{message['content']}"


def _half(body: dict[str, Any], exchange: Exchange) -> None:
    """Cut the text of an answer, as a server does when it gives up a request."""
    for choice in body["choices"]:
        choice["message"]["content"] = choice["message"]["content"][:3]
        choice["finish_reason"] = "abort"


def _null_first_choice(body: dict[str, Any], exchange: Exchange) -> None:
    body["choices"][0]["message"]["content"] = None


def _count_one_choice(body: dict[str, Any], exchange: Exchange) -> None:
    """Count the tokens of one answer of several, as llama.cpp does."""
    if len(body["choices"]) > 1:
        body["usage"]["completion_tokens"] = len(body["choices"][0]["message"]["content"]) // 4


def _echo_key(exchange: Exchange) -> bool:
    return exchange.error(401, f"Incorrect API key provided: {exchange.key}.", "invalid_api_key")


def _say_key(body: dict[str, Any], exchange: Exchange) -> None:
    for choice in body["choices"]:
        choice["message"]["content"] += f" (you sent {exchange.key})"


def _overflow(exchange: Exchange) -> bool:
    return exchange.error(400, exchange.dialect.overflow, "invalid_request_error")


def _negative_chunk(exchange: Exchange) -> bool:
    """Announce a chunk of -5 bytes."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n"
    exchange.connection.sendall(head)
    return False


def _gzip_bomb(exchange: Exchange) -> bool:
    """Send a few kilobytes that unpack to many megabytes."""
    data = gzip.compress(bytes(64 * 2**20), compresslevel=9)
    return exchange.send(200, data, {"Content-Encoding": "gzip"})


def _packed_oddly(exchange: Exchange) -> bool:
    return exchange.send(200, exchange.good(), {"Content-Encoding": "zstd"})


def _many_choices(body: dict[str, Any], exchange: Exchange) -> None:
    body["choices"] = [{}] * 200_000


def _count(value: Any) -> Misdeed:
    """Return a fault whose answer reports this number of written tokens."""
    return _with(lambda body, exchange: body["usage"].update(completion_tokens=value))


def _refusal(body: dict[str, Any], exchange: Exchange) -> None:
    for choice in body["choices"]:
        choice["message"].update(content=None, refusal="I cannot help with that.")


def _rude_400(exchange: Exchange) -> bool:
    words = "\x1b[2J\x9b half a \ud83d pair " + "x" * 100_000
    return exchange.error(400, words, "invalid_request_error")


RETRIED: Mapping[str, Misdeed] = MappingProxyType(
    {
        "negative_chunk": _negative_chunk,
        "gzip_bomb": _gzip_bomb,
        "packed_oddly": _packed_oddly,
        "many_choices": _with(_many_choices),
        "429": partial(_limited, lambda wait: {}),
        "429_seconds": partial(_limited, lambda wait: {"Retry-After": f"{wait:g}"}),
        "429_ms": partial(_limited, lambda wait: {"retry-after-ms": f"{wait * 1000:g}"}),
        "429_date": partial(
            _limited, lambda wait: {"Retry-After": formatdate(time.time() + wait, usegmt=True)}
        ),
        "429_reset": partial(_limited, lambda wait: {"x-ratelimit-reset": f"{wait:g}"}),
        "408": _status(408, "Request timeout", "timeout"),
        "409": _status(409, "Conflict", "conflict"),
        "500": _status(500, "Internal server error", "server_error"),
        "502_html": lambda exchange: exchange.send(502, HTML),
        "503": _status(503, "Loading model", "unavailable_error"),
        "529": _status(529, "Overloaded", "overloaded_error"),
        "reset": _reset,
        "reset_midway": _reset_midway,
        "close": _close,
        "stall": _stall,
        "drip": _drip,
        "short_body": _short_body,
        "truncated_json": _truncated_json,
        "html": lambda exchange: exchange.send(200, HTML),
        "empty_body": lambda exchange: exchange.send(200, b""),
        "null_body": lambda exchange: exchange.send(200, None),
        "deep_json": lambda exchange: exchange.send(200, b"[" * 200_000),
        "error_object": _error_object,
        "empty_choices": _with(lambda body, exchange: body.update(choices=[])),
        "null_content": _each_message(lambda message: message.update(content=None)),
        "abort": _with(_half),
    }
)
"""Faults after which the same request may succeed."""

FATAL: Mapping[str, Misdeed] = MappingProxyType(
    {
        "401": _status(401, "Incorrect API key provided", "invalid_api_key"),
        "401_echo_key": _echo_key,
        "402": _status(402, "Your account has no credits left", "payment_required"),
        "403": _status(403, "You may not use this model", "permission_denied"),
        "404": _status(404, "The model `nobody` does not exist", "model_not_found"),
        "404_html": lambda exchange: exchange.send(404, b"<h1>Not Found</h1>"),
        "quota": _status(429, "You exceeded your current quota", "insufficient_quota"),
    }
)
"""Faults that fail every request, however often it is sent."""

REFUSED: Mapping[str, Misdeed] = MappingProxyType(
    {
        "400": _status(400, "this request is not to my liking", "invalid_request_error"),
        "422": _status(422, "a field is not known", "invalid_request_error"),
        "overflow": _overflow,
        "rude_400": _rude_400,
        "refusal": _with(_refusal),
        "content_filter": _finish("content_filter"),
    }
)
"""Faults of a single request: others are not affected, and a retry is useless."""

QUIRKS: Mapping[str, Misdeed] = MappingProxyType(
    {
        "huge_count": _count(10**400),
        "negative_count": _count(-3),
        "nan_count": _count(float("nan")),
        "true_count": _count(True),
        "cut_prompt": _with(lambda body, exchange: body["usage"].update(prompt_tokens=256)),
        "gzip": lambda exchange: exchange.send(
            200, gzip.compress(json.dumps(exchange.good()).encode()), {"Content-Encoding": "gzip"}
        ),
        "eos": _finish("eos"),
        "no_finish_reason": _finish(None),
        "length": _finish("length"),
        "reasoning_only": _each_message(_only_reasoning),
        "think": _each_message(_think),
        "one_choice_counted": _with(_count_one_choice),
        "no_usage": _with(lambda body, exchange: body.pop("usage")),
        "missing_choice": _with(lambda body, exchange: body["choices"].pop()),
        "one_choice": _with(lambda body, exchange: body.update(choices=body["choices"][:1])),
        "null_first_choice": _with(_null_first_choice),
        "shuffled_choices": _with(lambda body, exchange: body["choices"].reverse()),
        "say_key": _with(_say_key),
    }
)
"""Valid answers in an unusual form."""

FAULTS: Mapping[str, Misdeed] = MappingProxyType({**RETRIED, **FATAL, **REFUSED, **QUIRKS})
