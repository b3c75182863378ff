"""A model that passes everything on to another one: the base of a cache, a budget and a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from econ_env.llm.incremental import (
    Answers,
    Feed,
    answers_of,
    completions_of,
    in_order,
    streams,
)
from econ_env.llm.types import ChatModel, ChatRequest, Completion, tokens_per_message


class ForwardingModel:
    """A :class:`~econ_env.llm.types.ChatModel` that does what another one does.

    A subclass changes what it does otherwise; :meth:`generate` follows from :meth:`generate_each`.

    Args:
        name: the string that requests name.
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
        """Tokens of prompt and completion together that the model accepts; None: not known."""
        return self._model.context_limit

    @property
    def tokens_per_message(self) -> int:
        """Tokens that the model's template adds to one message at most."""
        return tokens_per_message(self._model)

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Answer every request, in order; raises what :meth:`generate_each` raises."""
        return in_order(self.generate_each(requests))

    def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
        """As :meth:`generate`, but every completion comes as soon as it is there."""
        return completions_of(self._model, requests)

    @property
    def streams(self) -> bool:
        """Whether the model takes requests while it answers others."""
        return streams(self._model)

    def answer(self, feed: Feed) -> Answers:
        """Answer what ``feed`` gives, while it gives more."""
        return answers_of(self._model, feed)

    def count_tokens(self, text: str) -> int:
        """Number of tokens of ``text``, as the model counts them."""
        return self._model.count_tokens(text)

    def close(self) -> None:
        """Close the model. May be called twice."""
        self._model.close()
