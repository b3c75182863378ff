"""The requests that models have not answered yet, by their purpose."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable

from econ_env.llm.in_flight import InFlight
from econ_env.llm.types import Role

DOING: dict[Role, str] = {
    "strategy": "the coordinator plans",
    "local_strategy": "the groups' coordinators plan",
    "execute": "executors answer",
    "local_commit": "the groups' coordinators conclude",
    "commit": "the coordinator concludes",
}
"""Activity of a team while a model answers a request, by the role of the request."""


class Waiting:
    """The requests without an answer. They may be read from any thread.

    Args:
        clock: returns seconds; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[Hashable, tuple[Role, float]] = {}

    def asked(self, place: Hashable, role: Role) -> None:
        """Note a request, under any name for it."""
        with self._lock:
            self._open[place] = role, self._clock()

    def answered(self, place: Hashable) -> None:
        """Note the answer to a request."""
        with self._lock:
            self._open.pop(place, None)

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._open.clear()

    def describe(self, told: InFlight) -> str:
        """Say who is doing what, and what is waited for; "" if nothing is.

        Args:
            told: what the models tell of their requests in flight. If they tell of none, all
                requests without an answer count as sent when the games made them.
        """
        with self._lock:
            asked = list(self._open.values())
        if not asked:
            return ""
        roles = Counter(role for role, _ in asked)
        doing = [
            DOING[role] if len(roles) == 1 else f"{DOING[role]} ({count})"
            for role, count in roles.items()
        ]
        if not told.requests:
            oldest_s = self._clock() - min(since_s for _, since_s in asked)
            told = InFlight(sent=len(asked), slowest_s=oldest_s)
        return f"{', '.join(doing)}; {told}"
