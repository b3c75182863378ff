"""The bundled models behind HTTP on this machine, for clients of the OpenAI chat protocol."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.serving.protocol import Refused, read_request, reply
from benchmarks.serving.queueing import Answering
from econ_env.llm.registry import NUM_BUNDLED, resolve_models, shared_model

LARGEST_BODY = 1 << 20
"""Bytes of a request."""
_DIGITS = 9
"""Of a Content-Length at most: Python turns no text of thousands into a number."""

_PATHS = "there is GET /v1/models and POST /v1/chat/completions"


class BundledServer:
    """A server that runs from the beginning to the end of a ``with`` block, at 127.0.0.1.

    The same request gets the same answer, whatever else is in flight: the text is a function of
    the messages and the sampling parameters, the seed among them (0 where it is left out).

    Args:
        port: where it listens; 0: at a free one.

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
        """Answer until an exception, Ctrl-C for example, ends it."""
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
            self.close_connection = True  # where the next request begins is not known
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
        """Say nothing: a line for every request helps nobody."""


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": None}}
