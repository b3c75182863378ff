"""A model that forwards everything to another one: the base of a cache, a budget and a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from econ_env.llm.in_flight import InFlight, in_flight_of
from econ_env.llm.incremental import (
    Answers,
    Feed,
    Spend,
    answers_of,
    completions_of,
    in_order,
    streams,
)
from econ_env.llm.side_by_side import is_remote
from econ_env.llm.types import ChatModel, ChatRequest, Completion, tokens_per_message


class ForwardingModel:
    """A :class:`~econ_env.llm.types.ChatModel` that behaves like another one.

    A subclass overrides the parts that differ; :meth:`generate` follows from :meth:`generate_each`.

    Args:
        name: its name in ``ChatRequest.model``.
        find: returns the other model. It is called at every use, and not before the first one.
    """

    def __init__(self, name: str, find: Callable[[], ChatModel]) -> None:
        self.name = name
        self._find = find

    @property
    def _model(self) -> ChatModel:
        """The other model."""
        return self._find()

    @property
    def context_limit(self) -> int | None:
        """Most tokens of prompt and completion together that the model accepts; None: not known."""
        return self._model.context_limit

    @property
    def tokens_per_message(self) -> int:
        """Most tokens that the model's template adds to one message."""
        return tokens_per_message(self._model)

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Answer every request, in order; raises the errors of :meth:`generate_each`."""
        return in_order(self.generate_each(requests))

    def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
        """Answer every request; yield each completion as soon as it arrives."""
        return completions_of(self._model, requests)

    def generate_counted(self, requests: Sequence[ChatRequest], spend: Spend) -> Answers:
        """Answer every request; ``spend`` is asked before an attempt that cost is repeated."""
        return completions_of(self._model, requests, spend)

    @property
    def streams(self) -> bool:
        """True if the model takes requests while it answers others."""
        return streams(self._model)

    @property
    def remote(self) -> bool:
        """True if calls of the model mostly wait for another machine."""
        return is_remote(self._model)

    def in_flight(self) -> InFlight:
        """Return the requests in flight, if the model tells."""
        return in_flight_of(self._model)

    def answer(self, feed: Feed) -> Answers:
        """Answer the requests of ``feed`` until it gives no more."""
        return answers_of(self._model, feed)

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of ``text``, as the model counts them."""
        return self._model.count_tokens(text)

    def close(self) -> None:
        """Close the model. May be called twice."""
        self._model.close()
