"""A chat server on this machine that misbehaves on demand, with the faults of real servers.

It speaks the OpenAI protocol in the dialect of one of nine servers, from the standard library
only. Faults come by schedule (``server.schedule("429", "reset", None)``: the next requests, in the
order of their arrival) or by probability (``server.mix({"reset": 0.1})``); their names are the
keys of :data:`tests.misbehaving_faults.FAULTS`. What it saw is in ``server.seen``.

Without an ``answer`` of the test the text of a reply is a function of the messages and of the
sampling parameters that take effect in the dialect, so two calls differ where they should.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.misbehaving_dialects import DIALECTS, Dialect
from tests.misbehaving_faults import FAULTS, Exchange


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One choice to write: the effective settings of a request, with the dialect's defaults."""

    model: str
    messages: list[dict[str, Any]]
    temperature: float
    penalty: float
    frequency_penalty: float
    top_p: float
    max_tokens: int
    seed: int
    """Seed of the request plus the choice's index."""


Answer = Callable[[Ask], str]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    """Headers, with names in lower case."""
    body: Any
    """Parsed JSON of the body; None without a body."""
    fault: str | None
    """Fault that the server showed instead of the right answer."""


class MisbehavingServer:
    """A server that runs from the beginning to the end of a ``with`` block.

    Args:
        dialect: which server it plays.
        answer: writes the text of a choice; None: see the module.
        models: the models that exist; None: all of them.
        key: the key that requests must carry; None: any or none.
        latency_s: how long a good answer takes.
        capacity: requests in flight beyond which it answers 429; None: no limit.
        wait_s: what its rate limits ask a client to wait.
        remembers: whether ``seen`` is filled, which takes memory.
        port: where it listens; 0: at a free one.
    """

    def __init__(
        self,
        dialect: str = "openai",
        *,
        answer: Answer | None = None,
        models: tuple[str, ...] | None = None,
        key: str | None = None,
        latency_s: float = 0.0,
        capacity: int | None = None,
        wait_s: float = 0.01,
        remembers: bool = True,
        port: int = 0,
    ) -> None:
        self.dialect: Dialect = DIALECTS[dialect]
        self.answer: Answer = answer or echo
        self.models, self.key, self.latency_s = models, key, latency_s
        self.capacity, self.wait_s = capacity, wait_s
        self.seen: list[Seen] = []
        self.faults: Counter[str] = Counter()
        """Counts of each fault that was sent, with right answers under ``"none"``."""
        self._remembers = remembers
        self.connections = 0
        self.in_flight = self.peak_in_flight = 0
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._schedule: deque[str | None] = deque()
        self._mix: tuple[tuple[str, float], ...] = ()
        self._seed = 0
        self._repeats: Counter[bytes] = Counter()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        # With a large backlog, because a burst of connections is what clients open.
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def schedule(self, *faults: str | None) -> None:
        """Add faults for the next requests, in order; None stands for a right answer."""
        _check(faults)
        self._schedule.extend(faults)

    def forget_schedule(self) -> None:
        """Drop the scheduled faults that have not happened."""
        self._schedule.clear()

    def mix(self, probabilities: Mapping[str, float], seed: int = 0) -> None:
        """Set the probability of each fault, used while the schedule is empty.

        Which request meets which fault depends on ``seed``, on its body and on how often this
        body came before, so it is the same in every run, whatever the threads do.
        """
        _check(tuple(probabilities))
        self._mix, self._seed = tuple(probabilities.items()), seed

    @property
    def chats(self) -> list[Seen]:
        """Chat requests among ``seen``."""
        return [seen for seen in self.seen if is_chat(seen.path)]

    @property
    def open_connections(self) -> int:
        """Number of connections that the client has not closed."""
        with self._lock:
            return len(self._open)

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)

    # --- connections --------------------------------------------------------------------------

    def _spawn(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name="misbehaving", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        """Answer request after request, until either side closes the connection."""
        with suppress(OSError), connection.makefile("rb") as reader:
            while not self.stopping.is_set():
                line = reader.readline()
                if not line:
                    break
                method, path, _ = line.decode("latin-1").split(" ", 2)
                headers: dict[str, str] = {}
                while (raw := reader.readline().strip()) != b"":
                    name, _, value = raw.decode("latin-1").partition(":")
                    headers[name.strip().lower()] = value.strip()
                body = reader.read(int(headers.get("content-length", "0")))
                if not self._exchange(connection, method, path, headers, body):
                    break
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _exchange(
        self, connection: socket.socket, method: str, path: str, headers: dict[str, str], raw: bytes
    ) -> bool:
        """Answer one request; return True if the connection can be kept."""
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        chat = method == "POST" and is_chat(path)
        with self._lock:
            self.in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
            crowded = self.capacity is not None and self.in_flight > self.capacity
            fault = ("429" if crowded else self._next_fault(raw)) if chat else None
            self.faults[fault or "none"] += 1
            if self._remembers:
                self.seen.append(
                    Seen(method=method, path=path, headers=headers, body=body, fault=fault)
                )
        exchange = Exchange(
            connection=connection,
            dialect=self.dialect,
            key=headers.get("authorization", "").removeprefix("Bearer "),
            wait_s=self.wait_s,
            stopping=self.stopping,
            good=lambda: self._completion(body),
        )
        try:
            if fault is not None:
                return FAULTS[fault](exchange)
            return self._respond(exchange, chat, path, body)
        finally:
            with self._lock:
                self.in_flight -= 1

    def _next_fault(self, raw: bytes) -> str | None:
        if self._schedule:
            return self._schedule.popleft()
        if not self._mix:
            return None
        digest = hashlib.blake2b(raw, digest_size=8).digest()
        self._repeats[digest] += 1
        text = f"{self._seed}:{self._repeats[digest]}:{digest.hex()}".encode()
        number = int.from_bytes(hashlib.blake2b(text, digest_size=7).digest(), "big") / 2**56
        for name, probability in self._mix:
            number -= probability
            if number < 0:
                return name
        return None

    # --- good answers -------------------------------------------------------------------------

    def _respond(self, exchange: Exchange, chat: bool, path: str, body: Any) -> bool:
        if self.key is not None and exchange.key != self.key:
            return exchange.error(401, "Incorrect API key provided", "invalid_api_key")
        if path == "/v1/models":
            data = [{"id": name, "object": "model"} for name in self.models or ("any",)]
            return exchange.send(200, {"object": "list", "data": data})
        if not chat:
            return exchange.error(404, f"there is nothing at {path}", "not_found")
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return exchange.error(400, "the body is not a chat request", "invalid_request_error")
        unknown = self.models is not None and body.get("model") not in self.models
        if unknown and self.dialect.checks_model:
            message = f"The model `{body.get('model')}` does not exist"
            return exchange.error(self.dialect.unknown_model_status, message, "model_not_found")
        if refused := sorted(self.dialect.refused & body.keys()):
            message = f"Unsupported parameter: {', '.join(refused)}"
            return exchange.error(422, message, "invalid_request_error")
        if self.latency_s:
            time.sleep(self.latency_s)
        return exchange.send(200, exchange.good())

    def _completion(self, body: Any) -> dict[str, Any]:
        """Return the body of a right answer."""
        count = int(body.get("n") or 1) if self.dialect.n else 1
        texts = [self.answer(self._ask(body, index)) for index in range(count)]
        prompt = sum(len(str(message.get("content"))) for message in body["messages"])
        written = sum(map(len, texts))
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body.get("model"),
            "choices": [
                {
                    "index": index,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
                for index, text in enumerate(texts)
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": written,
                "total_tokens": prompt + written,
            },
        }

    def _ask(self, body: Any, index: int) -> Ask:
        dialect = self.dialect
        config = dict(body)
        if dialect.penalty == "generation_config" and "generation_config" in body:
            config |= json.loads(body["generation_config"])
        field_name = "repetition_penalty" if dialect.name == "transformers" else dialect.penalty
        limits = [config[name] for name in dialect.tokens if config.get(name) is not None]
        sampled = config.get("do_sample", True)
        return Ask(
            model=str(body.get("model")),
            messages=body["messages"],
            temperature=float(config.get("temperature", 1.0)) if sampled else 0.0,
            penalty=float(config.get(field_name or "", dialect.default_penalty)),
            frequency_penalty=float(config.get("frequency_penalty", 0.0)),
            top_p=float(config.get("top_p", 1.0)),
            max_tokens=int(limits[0]) if limits else 4096,
            seed=int(config.get("seed", 0)) + index if dialect.seed else 0,
        )


def is_chat(path: str) -> bool:
    """Return True if a path, without its parameters, is that of chat requests."""
    return path.partition("?")[0] == "/v1/chat/completions"


def echo(ask: Ask) -> str:
    """Return a text that depends on all effective settings; if greedy, not on those of sampling."""
    sampling: tuple[float, ...] = (ask.penalty, ask.frequency_penalty)
    if ask.temperature > 0:
        sampling += (ask.temperature, ask.top_p, ask.seed)
    said = json.dumps([ask.model, ask.messages, sampling], sort_keys=True)
    digest = hashlib.blake2b(said.encode(), digest_size=16).digest()
    words = [f"word{byte}" for byte in digest]
    return " ".join(words[: max(1, ask.max_tokens)])


def _check(faults: tuple[str | None, ...]) -> None:
    unknown = [fault for fault in faults if fault is not None and fault not in FAULTS]
    if unknown:
        raise ValueError(f"unknown faults {unknown}: choose from {sorted(FAULTS)}")
