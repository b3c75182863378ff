"""Requests in flight: what a model is waiting for, for people who wait for the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True, slots=True)
class InFlight:
    """Requests that are not answered yet. Two of them add up with ``+``."""

    sent: int = 0
    """Number of requests that were sent and wait for their answers."""
    waiting: int = 0
    """Number of requests that wait for a place at the server, or for another attempt."""
    slowest_s: float = 0.0
    """Seconds since the one that was sent first was sent."""
    retried: Mapping[str, int] = field(default_factory=dict)
    """Number of requests that were sent again, by the reason for the last time."""

    def __add__(self, other: InFlight) -> InFlight:
        return InFlight(
            sent=self.sent + other.sent,
            waiting=self.waiting + other.waiting,
            slowest_s=max(self.slowest_s, other.slowest_s),
            retried=Counter(self.retried) + Counter(other.retried),
        )

    @property
    def requests(self) -> int:
        """Number of requests, sent or not."""
        return self.sent + self.waiting

    def __str__(self) -> str:
        """Return it in words: ``6 requests in flight, slowest 42 s, 1 retried (time-out)``."""
        parts = [f"{self.sent} request{'' if self.sent == 1 else 's'} in flight"]
        if self.waiting:
            parts.append(f"{self.waiting} waiting")
        if self.slowest_s:
            parts.append(f"slowest {self.slowest_s:.0f} s")
        parts += [f"{count} retried ({reason})" for reason, count in self.retried.items()]
        return ", ".join(parts)


@runtime_checkable
class TellsInFlight(Protocol):
    """A model that knows its requests in flight."""

    def in_flight(self) -> InFlight:
        """Return the requests in flight now. May be called from any thread, at any moment."""
        ...


def in_flight_of(model: object) -> InFlight:
    """Return the requests in flight of a model; none if it does not tell."""
    return model.in_flight() if isinstance(model, TellsInFlight) else InFlight()
