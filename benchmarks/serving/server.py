"""HTTP server of the bundled models on this machine, with the OpenAI chat protocol."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.serving.protocol import Refused, read_request, reply
from benchmarks.serving.queueing import Answering
from econ_env.llm.registry import NUM_BUNDLED, resolve_models, shared_model

LARGEST_BODY = 1 << 20
"""Largest body of a request in bytes."""
_DIGITS = 9
"""Longest Content-Length in digits: Python refuses to parse numbers of thousands of digits."""

_PATHS = "there is GET /v1/models and POST /v1/chat/completions"


class BundledServer:
    """A server at 127.0.0.1 that runs inside a ``with`` block, or in :meth:`run`.

    Equal requests get equal answers, whatever else is in flight: the text is a function of the
    messages and the sampling parameters, including the seed (0 by default).

    Args:
        port: port to listen on; 0 takes a free one.

    Raises:
        OSError: the port is in use.
    """

    def __init__(self, port: int = 0) -> None:
        names = resolve_models("bundled", NUM_BUNDLED).names
        self._models = {name: shared_model(name) for name in names}
        self._http = _Http(("127.0.0.1", port), names)
        self.port: int = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models."""
        return self._http.models

    def run(self) -> None:
        """Answer requests until an exception, such as Ctrl-C, ends it."""
        self._http.answering = Answering(self._models)
        try:
            self._http.serve_forever(poll_interval=0.05)
        finally:
            self._http.server_close()
            self._http.answering.close()

    def __enter__(self) -> BundledServer:
        self._thread = threading.Thread(target=self.run, name="bundled server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client may keep its connection open for as long as it likes
    request_queue_size = 128  # a client opens its connections all at once
    answering: Answering

    def __init__(self, address: tuple[str, int], models: tuple[str, ...]) -> None:
        super().__init__(address, _Handler)
        self.models = models


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def do_GET(self) -> None:
        if self.path != "/v1/models":
            return self._send(404, _error(_PATHS))
        data = [{"id": name, "object": "model"} for name in self.server.models]
        return self._send(200, {"object": "list", "data": data})

    def do_POST(self) -> None:
        try:
            self._send(200, self._answer())
        except Refused as refused:
            self._send(refused.status, _error(str(refused)))

    def _answer(self) -> dict[str, Any]:
        body = self._body()
        if self.path != "/v1/chat/completions":
            raise Refused(404, _PATHS)
        asked = read_request(body, self.server.models)
        return reply(asked, self.server.answering.answer(asked.choices))

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        digits = length.isascii() and length.isdigit() and len(length) <= _DIGITS
        if not digits or int(length) > LARGEST_BODY:
            self.close_connection = True  # the start of the next request is unknown
            raise Refused(413, f"a body needs a Content-Length of at most {LARGEST_BODY}")
        return self.rfile.read(int(length))

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode("ascii")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: a line for every request would be noise."""


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": None}}
