"""Handing completions over one by one, so that an interrupted batch loses no answer.

A batch of requests may take minutes. Callers that must keep every answer (the cache), or count it
at once (a budget), ask through :func:`completions_of`. Callers that have further requests as soon
as an answer arrives ask through :func:`answers_of`: a :class:`Streaming` model takes them while it
answers the others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Protocol, TypeAlias, runtime_checkable

from econ_env.llm.types import ChatModel, ChatRequest, Completion, ModelError, Usage

Answers: TypeAlias = Generator[tuple[int, Completion], None, None]
"""Completions with the positions of their requests, in order of arrival."""

Feed: TypeAlias = Callable[[], Sequence[ChatRequest]]
"""Function that returns the new requests since its last call, possibly none."""

Spend: TypeAlias = Callable[[int, Usage], bool]
"""Function that is told, while a batch goes on, what attempts without an answer cost of the request
at a position. It returns True if another attempt may be sent. The usage of the request's completion
includes these attempts."""


@runtime_checkable
class Incremental(Protocol):
    """A model that hands over every completion as soon as it is ready."""

    def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
        """Yield the position and completion of each request, in order of arrival.

        Closing the iterator early gives up the requests that are not answered yet.
        """
        ...


@runtime_checkable
class Retrying(Protocol):
    """A model that may send a request several times, and tells what the attempts cost."""

    def generate_counted(self, requests: Sequence[ChatRequest], spend: Spend) -> Answers:
        """Do the same as :meth:`Incremental.generate_each`, and ask ``spend`` before a retry."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """A model that takes further requests while it answers others."""

    @property
    def streams(self) -> bool:
        """True if it does so; a wrapper forwards the value of its model."""
        ...

    def answer(self, feed: Feed) -> Answers:
        """Yield completions as they arrive, with the positions of their requests in the whole feed.

        ``feed`` is called before every step. The iterator ends when ``feed`` returns no request and
        every request is answered. Closing it early gives up the unanswered requests.
        """
        ...


def all_at_once(requests: Sequence[ChatRequest]) -> Feed:
    """Return a feed that gives ``requests`` at its first call, and none later."""
    waiting = list(requests)

    def feed() -> list[ChatRequest]:
        taken = waiting.copy()
        waiting.clear()
        return taken

    return feed


def streams(model: object) -> bool:
    """Return True if ``model`` takes requests while it answers others."""
    return isinstance(model, Streaming) and model.streams


def answers_of(model: ChatModel, feed: Feed) -> Answers:
    """Answer the requests of ``feed`` with any model, like :meth:`Streaming.answer`.

    A model that does not stream gets all requests present, and the next ones when it has answered.

    Raises:
        ModelError: the model did not answer every request.
    """
    if isinstance(model, Streaming) and model.streams:
        with closing(model.answer(feed)) as answered:
            yield from answered
        return
    count = 0
    while requests := feed():
        with closing(completions_of(model, requests)) as answered:
            for position, completion in answered:
                yield count + position, completion
        count += len(requests)


def completions_of(
    model: ChatModel, requests: Sequence[ChatRequest], spend: Spend | None = None
) -> Answers:
    """Yield the position and completion of each request, as early as ``model`` allows.

    An :class:`Incremental` model gives each when it is ready; any other model gives all at the end.
    A :class:`Retrying` one asks ``spend`` before it repeats an attempt that cost tokens.

    Raises:
        ModelError: the model did not answer every request.
    """
    if not requests:
        # A model without requests need not be loaded.
        return
    count = 0
    each: Answers | None = None
    if spend is not None and isinstance(model, Retrying):
        each = model.generate_counted(requests, spend)
    elif isinstance(model, Incremental):
        each = model.generate_each(requests)
    if each is not None:
        # Closed together with this iterator, so that no request stays in flight.
        with closing(each) as answered:
            for pair in answered:
                count += 1
                yield pair
        _check_count(model, count, len(requests))
        return
    completions = model.generate(requests)
    _check_count(model, len(completions), len(requests))
    yield from enumerate(completions)


def _check_count(model: ChatModel, answered: int, asked: int) -> None:
    if answered != asked:
        raise ModelError(
            f"model {model.name!r} returned {answered} completions for {asked} requests: it must "
            "answer every request, once"
        )


def in_order(answers: Answers) -> list[Completion]:
    """Return the completions in the order of their requests; ``answers`` is closed in any case."""
    with closing(answers):
        return [completion for _, completion in sorted(answers, key=lambda pair: pair[0])]
