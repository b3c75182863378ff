"""A model behind a cache of its completions: recorded once, replayed exactly.

In mode ``"read_write"``, a request that was answered before gets the recorded answer. Any other one
is sent to the model, and its answer is stored as soon as it arrives: an interrupted batch loses no
answer. In mode ``"replay"`` nothing is sent at all, and the model need not even exist here: a
request that was not recorded is an error. Failed completions are never stored, so a failed episode
is asked again.

An answer from the cache is the recorded completion, including its ``usage``, so that transcripts
and infos are equal to the last digit. The usage of answers from the cache is counted in
:attr:`RecordingModel.saved`, apart from the usage of new answers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Literal

from econ_env.llm.cache.keys import (
    canonical_json,
    model_key,
    question_start,
    request_json,
    request_key,
    text_key,
)
from econ_env.llm.cache.store import CompletionStore, ModelFacts
from econ_env.llm.forwarding import ForwardingModel
from econ_env.llm.incremental import Answers, Feed, answers_of, completions_of, streams
from econ_env.llm.types import (
    ChatModel,
    ChatRequest,
    Completion,
    ModelError,
    Usage,
    tokens_per_message,
)

CacheMode = Literal["off", "read_write", "replay"]
"""Use of the cache: ``"off"``: none; ``"read_write"``: read and record; ``"replay"``: read only."""


class ReplayMiss(ModelError):
    """A replayed run makes a request that was not recorded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """A request that the store does not hold."""

    key: str
    text: str
    request: ChatRequest


class _Held:
    """Requests of a feed, sorted into those in the store and those to be sent."""

    def __init__(self, model: str, store: CompletionStore, feed: Feed) -> None:
        self._model, self._store, self._feed = model, store, feed
        self._count = 0
        self.taken = 0
        """Number of requests that the feed gave last."""
        self.asked: list[_Asked] = []
        """Requests sent to the model, in order."""
        self.waiting: dict[str, list[int]] = {}
        """Positions of requests in flight, by key."""
        self.hits: deque[tuple[int, Completion]] = deque()
        """Answers that are ready, with the positions of their requests."""

    def take(self) -> list[ChatRequest]:
        """Read the feed, and return the new requests that must be sent."""
        requests = self._feed()
        self.taken = len(requests)
        unknown = []
        for position, request in enumerate(requests, start=self._count):
            text = request_json(request)
            key = request_key(self._model, text)
            known = None if key in self.waiting else self._store.get(key)
            if known is not None:
                self.hits.append((position, known))
            elif key in self.waiting:
                self.waiting[key].append(position)
            else:
                self.waiting[key] = [position]
                self.asked.append(_Asked(key=key, text=text, request=request))
                unknown.append(request)
        self._count += len(requests)
        return unknown


def _first(requests: Sequence[ChatRequest], feed: Feed) -> Feed:
    """Return a feed that gives ``requests`` first, and then the requests of ``feed``."""
    feeds = chain([lambda: requests], repeat(feed))
    return lambda: next(feeds)()


class RecordingModel(ForwardingModel):
    """A :class:`~econ_env.llm.types.ChatModel` that answers from a store if possible.

    The wrapped model is used only if an answer is missing, or if it is at hand; in mode
    ``"replay"`` never, except for its ``name``. Thread-safe if the model is.

    Args:
        model: answers the requests that are not in the store.
        store: store of completions.
        mode: ``"read_write"`` or ``"replay"``.
        settings: plain data that changes the model's answers besides its name.
        version: called once; identifies anything that changes the answers and is not a setting,
            such as the weights. A replay does not call it, and uses the version recorded last
            under this name and these settings. None: nothing else changes the answers.
        at_hand: the model is loaded already, so its limits are read from the model and not from
            the store: they may have changed.
    """

    def __init__(
        self,
        model: ChatModel,
        store: CompletionStore,
        mode: Literal["read_write", "replay"],
        *,
        settings: Mapping[str, Any] | None = None,
        version: Callable[[], str] | None = None,
        at_hand: bool = False,
    ) -> None:
        if mode not in ("read_write", "replay"):
            raise ValueError(f'mode must be "read_write" or "replay", got {mode!r}')
        super().__init__(model.name, lambda: model)
        self._store = store
        self._replays = mode == "replay"
        self._settings = canonical_json(settings or {})
        self._version = version
        self._at_hand = at_hand
        self._lock = threading.Lock()
        self._facts: ModelFacts | None = None
        self._saved = Usage()

    @property
    def context_limit(self) -> int | None:
        """Context limit of the model, as recorded."""
        return self._known().context_limit

    @property
    def tokens_per_message(self) -> int:
        """Tokens that the model's template adds to a message, as recorded."""
        return self._known().tokens_per_message

    @property
    def saved(self) -> Usage:
        """Usage of the answers from the cache, as recorded."""
        return self._saved

    def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
        """Yield the recorded or new completion of every request, recorded ones first.

        Equal requests of one batch are sent once.

        Raises:
            ReplayMiss: a request was not recorded, in mode ``"replay"``.
            StoreError: the cache cannot be used.
        """
        model = self._model_key()
        texts = [request_json(request) for request in requests]
        places: dict[str, list[int]] = {}
        for index, text in enumerate(texts):
            places.setdefault(request_key(model, text), []).append(index)
        found = {key: self._store.get(key) for key in places}
        missing = [(key, places[key][0]) for key, held in found.items() if held is None]
        if missing and self._replays:
            raise self._miss(requests[missing[0][1]], len(missing), len(requests))
        for key, held in found.items():
            if held is not None:
                for index in places[key]:
                    self._save(held.usage)
                    yield index, held
        with closing(completions_of(self._model, [requests[i] for _, i in missing])) as new:
            for position, completion in new:
                key, first = missing[position]
                kept = self._keep(key, texts[first], requests[first], completion)
                yield first, kept
                for index in places[key][1:]:
                    self._save(kept.usage)
                    yield index, kept

    @property
    def streams(self) -> bool:
        """True if the model takes requests while it answers others; always False in a replay."""
        return not self._replays and streams(self._model)

    @property
    def remote(self) -> bool:
        """True if the model computes on another machine; always False in a replay."""
        return not self._replays and super().remote

    def answer(self, feed: Feed) -> Answers:
        """Answer the requests of ``feed``, from the store if possible.

        A request that equals one in flight is not sent again.

        Raises:
            StoreError: the cache cannot be used.
        """
        held = _Held(self._model_key(), self._store, feed)
        while True:
            unknown = held.take()
            yield from self._hits(held)
            if unknown:
                with closing(answers_of(self._model, _first(unknown, held.take))) as new:
                    for number, completion in new:
                        asked = held.asked[number]
                        kept = self._keep(asked.key, asked.text, asked.request, completion)
                        first, *equal = held.waiting.pop(asked.key)
                        yield first, kept
                        held.hits += [(position, kept) for position in equal]
                        yield from self._hits(held)
                held.asked.clear()
            elif not held.taken:
                return

    def _hits(self, held: _Held) -> Answers:
        while held.hits:
            position, completion = held.hits.popleft()
            self._save(completion.usage)
            yield position, completion

    def _save(self, usage: Usage) -> None:
        with self._lock:
            self._saved += usage

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of ``text``; the model counts it once, the store keeps it.

        Raises:
            ReplayMiss: it was never counted, in mode ``"replay"``.
        """
        model, key = self._model_key(), text_key(text)
        tokens = self._store.token_count(model, key)
        if tokens is not None:
            return tokens
        if self._replays:
            raise ReplayMiss(
                f"{self._store.path} does not hold the token count of a text for "
                f"{self.name!r} ({text[:60]!r}...): {self._advice()}"
            )
        tokens = self._model.count_tokens(text)
        self._store.keep_token_count(model, key, tokens)
        return tokens

    def close(self) -> None:
        """Close the model and the store. May be called twice."""
        super().close()
        self._store.close()

    def _keep(
        self, key: str, text: str, request: ChatRequest, completion: Completion
    ) -> Completion:
        """Store a success; return the stored completion, which may come from another process."""
        if completion.error is not None or completion.finish_reason == "error":
            return completion
        return self._store.put(key, text, completion, model=request.model, role=request.role)

    def _known(self) -> ModelFacts:
        """Return the facts about the model; the first call reads them."""
        if self._facts is None:
            self._facts = self._recorded() if self._replays else self._noted()
        return self._facts

    def _recorded(self) -> ModelFacts:
        """Return the stored facts about the model, in the version recorded last."""
        facts = self._store.facts(self.name, self._settings)
        if facts is None:
            raise ReplayMiss(
                f"{self._store.path} has no recording of the model {self.name!r} with the settings "
                f"{self._settings}: {self._advice()}"
            )
        return facts

    def _noted(self) -> ModelFacts:
        """Return the facts about the model in its present version; the model gives missing ones."""
        version = "" if self._version is None else self._version()
        facts = None
        if not self._at_hand:
            facts = self._store.facts(self.name, self._settings, version)
        if facts is None:
            facts = ModelFacts(
                name=self.name,
                settings=self._settings,
                version=version,
                context_limit=self._model.context_limit,
                tokens_per_message=tokens_per_message(self._model),
            )
        self._store.note(facts)
        return facts

    def _model_key(self) -> str:
        return model_key(self.name, self._settings, self._known().version)

    def _miss(self, request: ChatRequest, missing: int, of: int) -> ReplayMiss:
        return ReplayMiss(
            f"{self._store.path} does not hold {missing} of {of} requests, the first of them for "
            f"role {request.role!r} of model {request.model!r}: "
            f"{question_start(request.messages)!r}. (It holds {self._store.count(self.name)} "
            f"completions of this model.) {self._advice()}"
        )

    def _advice(self) -> str:
        return (
            "A replay must have the seeds, settings, questions and version of the recorded run, "
            "and episodes that failed there are not recorded. Run it with cache='read_write' to "
            "add what is missing."
        )
