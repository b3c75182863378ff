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
from typing import TypeAlias

from econ_env.llm.types import ChatRequest, Completion, Message

CAPACITY = 4096
"""Default number of strategies kept, about 2 MB."""

_Key: TypeAlias = tuple[str, tuple[Message, ...], int, float, float]


class StrategyCache:
    """The completions of greedy strategy requests; the least recently used are dropped first.

    Args:
        capacity: number of completions kept, at least 1.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self._capacity = capacity
        self._kept: OrderedDict[_Key, Completion] = OrderedDict()

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
        self._kept[key] = completion
        self._kept.move_to_end(key)
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)


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
