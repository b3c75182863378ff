"""Handing completions over one by one, so that an interrupted batch keeps what it has.

A batch of requests may take minutes. Whoever must not lose what is computed by then (the cache)
or wants to count it at once (a budget) asks through :func:`completions_of`. Whoever has further
questions as soon as an answer is there asks through :func:`answers_of`: a :class:`Streaming` model
takes them while it answers the others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Protocol, TypeAlias, runtime_checkable

from econ_env.llm.types import ChatModel, ChatRequest, Completion, ModelError

Answers: TypeAlias = Generator[tuple[int, Completion], None, None]
"""Completions with the positions of their requests, in the order of their coming."""

Feed: TypeAlias = Callable[[], Sequence[ChatRequest]]
"""Gives the requests that have come up since it was called last, maybe none."""


@runtime_checkable
class Incremental(Protocol):
    """A model that hands over every completion as soon as it is there."""

    def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
        """The position of each request with its completion, in the order of their coming.

        Closing the iterator early gives up the requests that are not answered yet.
        """
        ...


@runtime_checkable
class Streaming(Protocol):
    """A model that takes further requests while it answers others."""

    @property
    def streams(self) -> bool:
        """Whether it really does: what wraps a model does as the model does."""
        ...

    def answer(self, feed: Feed) -> Answers:
        """Completions as they come, with the positions of their requests in all that was fed.

        ``feed`` is called before every step. The iterator ends when it gives nothing and every
        request is answered. Closing it early gives up what is not answered yet.
        """
        ...


def all_at_once(requests: Sequence[ChatRequest]) -> Feed:
    """A feed that gives ``requests`` at its first call, and then nothing."""
    waiting = list(requests)

    def feed() -> list[ChatRequest]:
        taken = waiting.copy()
        waiting.clear()
        return taken

    return feed


def streams(model: object) -> bool:
    """Whether ``model`` takes requests while it answers others."""
    return isinstance(model, Streaming) and model.streams


def answers_of(model: ChatModel, feed: Feed) -> Answers:
    """As :meth:`Streaming.answer`, of any model.

    One that does not stream is asked everything that has come up, and again when it is through.

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


def completions_of(model: ChatModel, requests: Sequence[ChatRequest]) -> Answers:
    """The position of each request with its completion, as early as ``model`` gives it.

    An :class:`Incremental` model is followed as it goes; any other one gives all at the end.

    Raises:
        ModelError: the model did not answer every request.
    """
    if not requests:
        # A model that is not needed need not be loaded.
        return
    count = 0
    if isinstance(model, Incremental):
        # Closed at once where this iterator is, so that nothing stays in flight.
        with closing(model.generate_each(requests)) as answered:
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
    """The completions in the order of their requests; ``answers`` is closed, come what may."""
    with closing(answers):
        return [completion for _, completion in sorted(answers, key=lambda pair: pair[0])]
