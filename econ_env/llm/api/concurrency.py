"""Number of requests in flight: additive increase, multiplicative decrease."""

from __future__ import annotations

import threading


class AdaptiveLimit:
    """A counter of requests in flight under a limit that follows the server.

    Before the first throttling, every success raises the limit by 1, so it doubles in a round;
    after it, by 1/limit, so it rises by one in a round. Throttling halves the limit, at most once
    for all requests that were in flight together, because they met the same congestion.

    Args:
        largest: upper bound of the limit.
        initial: the limit at the beginning.
    """

    def __init__(self, largest: int, initial: int) -> None:
        self._largest = largest
        self._limit = float(min(initial, largest))
        self._in_flight = 0
        self._cuts = 0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """Number of requests that may be in flight now, >= 1."""
        with self._changed:
            return int(self._limit)

    def enter(self, given_up: threading.Event) -> int | None:
        """Wait for a place; return a ticket for :meth:`leave`, or None once ``given_up`` is set.

        The thread that sets that event calls :meth:`wake` afterwards.
        """
        with self._changed:
            while self._in_flight >= int(self._limit) and not given_up.is_set():
                self._changed.wait()
            if given_up.is_set():
                return None
            self._in_flight += 1
            return self._cuts

    def leave(self, ticket: int, *, throttled: bool, answered: bool) -> None:
        """Give the place back, and report whether the request was throttled or answered."""
        with self._changed:
            self._in_flight -= 1
            if throttled:
                if ticket == self._cuts:
                    self._limit = max(1.0, self._limit / 2)
                    self._cuts += 1
            elif answered:
                step = 1.0 / self._limit if self._cuts else 1.0
                self._limit = min(float(self._largest), self._limit + step)
            self._changed.notify(2)

    def wake(self) -> None:
        """Make all waiting threads check again whether their batch was given up."""
        with self._changed:
            self._changed.notify_all()
