"""A cache of strategies: no question is planned for twice.

Coordinators decode greedily, so a strategy is a function of its prompt and not of the seed. Many
libraries reset an environment more often than they play it, and every question comes back in later
epochs; with the strategies kept, such a reset costs no call.

A kept completion is returned unchanged, its ``usage`` included. So infos and transcripts, which
count the tokens that an episode needs, do not depend on other episodes. The real spending is
counted where the model is called.
"""

from __future__ import annotations

from collections import OrderedDict
from sys import getsizeof
from typing import TypeAlias

from econ_env.llm.types import ChatRequest, Completion, Message

CAPACITY = 4096
"""Default number of strategies kept, about 2 MB."""
MAX_BYTES = 16 * 2**20
"""Default limit on the memory of what is kept, in bytes of text; questions may be long."""

_Key: TypeAlias = tuple[str, tuple[Message, ...], int, float, float]


class StrategyCache:
    """The completions of greedy strategy requests; the least recently used are dropped first.

    Args:
        capacity: number of completions kept, at least 1.
        max_bytes: limit on the texts of kept requests and completions together, at least 1; a
            larger one alone is not kept.
    """

    def __init__(self, capacity: int = CAPACITY, *, max_bytes: int = MAX_BYTES) -> None:
        if min(capacity, max_bytes) < 1:
            raise ValueError(
                f"capacity and max_bytes must be at least 1, got {capacity} and {max_bytes}"
            )
        self._capacity, self._max_bytes = capacity, max_bytes
        self._kept: OrderedDict[_Key, Completion] = OrderedDict()
        self._bytes = 0

    def get(self, request: ChatRequest) -> Completion | None:
        """The kept completion of an equal request, whatever its seed; None if there is none."""
        key = _key(request)
        if key is None or key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(self, request: ChatRequest, completion: Completion) -> None:
        """Keep the completion of a greedy strategy request; ignore others and failures."""
        key = _key(request)
        if key is None or completion.error is not None or completion.finish_reason == "error":
            return
        if key in self._kept:
            self._bytes -= _size(key, self._kept.pop(key))
        self._kept[key] = completion
        self._bytes += _size(key, completion)
        while len(self._kept) > self._capacity or self._bytes > self._max_bytes:
            self._bytes -= _size(*self._kept.popitem(last=False))


def _key(request: ChatRequest) -> _Key | None:
    """Everything that a greedy strategy depends on; None for other requests."""
    if request.temperature != 0 or request.role not in ("strategy", "local_strategy"):
        return None
    return (
        request.model,
        request.messages,
        request.max_tokens,
        request.repetition_penalty,
        request.top_p,
    )


def _size(key: _Key, completion: Completion) -> int:
    """Bytes of the texts of an entry, as Python holds them."""
    return sum(map(getsizeof, [completion.text, *(message.content for message in key[1])]))
