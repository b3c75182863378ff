"""Models on servers that speak the OpenAI chat protocol."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from econ_env.llm.api.address import Address, parse_address
from econ_env.llm.api.body import check_supported
from econ_env.llm.api.server_key import check_header_keys, key_of
from econ_env.llm.api.settings import ApiSettings
from econ_env.llm.in_flight import InFlight
from econ_env.llm.incremental import Answers, Spend, in_order
from econ_env.llm.side_by_side import ends_with_the_others
from econ_env.llm.types import ChatRequest, Completion, ModelError

if TYPE_CHECKING:
    from econ_env.llm.api.batch import RequestBatch
    from econ_env.llm.api.engine import Engine


class ApiModel:
    """A :class:`~econ_env.llm.types.ChatModel` on a server.

    Creating it sends nothing. It can be pickled, without its key: the copy reads the key from its
    own environment. Calls from several threads share threads, connections and limits.

    Args:
        name: ``"profile:MODEL"`` or ``"profile:MODEL@URL"``; see docs/endpoints.md.
        settings: of the client; None: the defaults.
        api_key: the key; None: read from the environment variable of the profile.

    Raises:
        ModelError: the name is not valid, the server cannot do what the settings ask for, or it
            needs a key and there is none.
    """

    def __init__(
        self, name: str, settings: ApiSettings | None = None, api_key: str | None = None
    ) -> None:
        self.name = name
        self.settings = ApiSettings() if settings is None else settings
        self.context_limit: int | None = self.settings.context_limit
        self._address = parse_address(name)
        check_supported(name, self._address.profile, self.settings)
        self._secret = None
        if not self.settings.offline:
            self._secret = key_of(self._address, api_key)
            check_header_keys(self._address, self.settings)
        self._engine: Engine | None = None
        self._batches: list[RequestBatch] = []
        self._closed = False
        self._lock = threading.Lock()

    @property
    def address(self) -> Address:
        """Name, profile and URL of the model."""
        return self._address

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Answer every request, in the order given.

        A request that the server refuses, or that gets no answer within its budget, becomes a
        failed completion. ``usage.requests`` counts every attempt. Ctrl-C ends all requests in
        flight.

        Raises:
            ModelError: the model cannot be used at all, or was closed.
        """
        return in_order(self.generate_each(requests))

    def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
        """Answer every request; yield each completion as soon as it arrives.

        Closing the iterator early ends all requests in flight.
        """
        return self._generate(requests, None)

    def generate_counted(self, requests: Sequence[ChatRequest], spend: Spend) -> Answers:
        """Answer every request; ``spend`` is asked before an attempt that cost is repeated."""
        return self._generate(requests, spend)

    def _generate(self, requests: Sequence[ChatRequest], spend: Spend | None) -> Answers:
        from econ_env.llm.api.batch import RequestBatch

        if not requests:
            return
        with self._lock:
            engine = self._running()
            batch = RequestBatch(engine, requests, spend)
            self._batches.append(batch)
        try:
            with ends_with_the_others(batch.give_up):
                yield from batch.run()
        except BaseException:
            self._leave(batch, engine, stop=True)
            raise
        self._leave(batch, engine, stop=False)

    def in_flight(self) -> InFlight:
        """Return the requests of all calls that are not answered yet; any thread may call this."""
        with self._lock:
            batches = list(self._batches)
        return sum([batch.in_flight() for batch in batches], InFlight())

    @property
    def remote(self) -> bool:
        """True: it waits for a server, so several such models are asked at the same time."""
        return True

    @property
    def version(self) -> str:
        """Text that identifies the settings that change the answers, for the keys of a cache."""
        return repr((self.settings.answers, self._address.profile.wire))

    @property
    def opens_thoughts(self) -> bool:
        """True once a reply has ended a thought that the chat template, not the reply, began."""
        return self._engine is not None and self._engine.opens_thoughts

    def count_tokens(self, text: str) -> int:
        """Return the bytes of ``text`` in UTF-8, an upper bound on its tokens in any tokenizer.

        For English prose the bound is about four times too high, so a ``context_limit`` shortens
        prompts earlier than necessary.
        """
        return len(text.encode("utf-8", "replace"))

    def close(self) -> None:
        """End all threads and connections; calls in progress raise ``ModelError``.

        May be called twice. The model answers nothing afterwards.
        """
        with self._lock:
            self._closed = True
            engine = self._engine
            for batch in self._batches:
                batch.give_up()
            if engine is None or self._batches or engine.pid != os.getpid():
                return
            self._engine = None
        engine.shut_down()

    def __repr__(self) -> str:
        return f"ApiModel({self.name!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return ApiModel, (self.name, self.settings)

    def _running(self) -> Engine:
        """Return the engine of this process, started if necessary."""
        from econ_env.llm.api.engine import Engine

        if self._closed:
            raise ModelError(f"The model {self.name!r} was closed. Make a new ApiModel.")
        if self.settings.offline:
            raise ModelError(f"{self.name!r} is offline (ApiSettings.offline): nothing is sent")
        if self._engine is None or self._engine.pid != os.getpid():
            self._engine = Engine(self._address, self._secret, self.settings)
            self._batches = []
        return self._engine

    def _leave(self, batch: RequestBatch, engine: Engine, *, stop: bool) -> None:
        """Unregister a batch; ``stop``: it ended early, so its threads and connections must end."""
        with self._lock:
            self._batches.remove(batch)
            last = not self._batches and (stop or self._closed)
            if last and self._engine is engine:
                self._engine = None
        if last:
            engine.shut_down()
