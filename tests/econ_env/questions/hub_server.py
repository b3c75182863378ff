"""A Hugging Face hub on this machine, with what ``datasets`` asks the real one for.

``org/GoodQA`` holds two subsets; ``org/gated`` and ``org/absent`` are refused, and ``org/broken``
fails.
"""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "a" * 40
REVISIONS = ("main", "v1", COMMIT)

CARD = """---
configs:
- config_name: main
  data_files:
  - {split: train, path: main/train.jsonl}
  - {split: test, path: main/test.jsonl}
- config_name: bad
  data_files:
  - {split: test, path: bad/test.jsonl}
---
"""


def _rows(*rows: Mapping[str, object]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FILES = {
    "README.md": CARD.encode(),
    "main/train.jsonl": _rows(*({"question": f"train {i}", "answer": str(i)} for i in range(7))),
    "main/test.jsonl": _rows(*({"question": f"test {i}", "answer": str(i)} for i in range(5))),
    "bad/test.jsonl": _rows({"question": "q", "answer": "1"}, {"question": "", "answer": "2"}),
}

REFUSALS = {
    "org/gated": (401, "GatedRepo"),
    "org/absent": (404, "RepoNotFound"),
    "org/broken": (503, None),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        for name, (status, code) in REFUSALS.items():
            if f"/{name}" in path:
                return self._answer(status, headers={"X-Error-Code": code} if code else {})
        if path.startswith("/datasets/org/GoodQA/resolve/"):
            revision, _, file = path.split("/resolve/")[1].partition("/")
            return self._file(revision, file)
        if path.startswith("/api/datasets/org/GoodQA/tree/"):
            return self._json([_entry(name) for name in FILES])
        if path.startswith("/api/datasets/org/GoodQA"):
            return self._json({"id": "org/GoodQA", "sha": COMMIT, "siblings": []})
        return self._answer(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        paths = urllib.parse.parse_qs(body.decode()).get("paths", [])
        self._json([_entry(path) for path in paths if path in FILES])

    def _file(self, revision: str, name: str) -> None:
        if revision not in REVISIONS:
            return self._answer(404, headers={"X-Error-Code": "RevisionNotFound"})
        headers = {"X-Repo-Commit": COMMIT}
        if name not in FILES:
            return self._answer(404, headers={**headers, "X-Error-Code": "EntryNotFound"})
        return self._answer(200, FILES[name], {**headers, "ETag": f'"{_digest(name)}"'})

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _digest(name: str) -> str:
    return hashlib.sha256(FILES[name]).hexdigest()


def _entry(name: str) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(FILES[name]), "oid": _digest(name)}


@contextmanager
def hub() -> Iterator[str]:
    """Address of the hub, which ends with the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
