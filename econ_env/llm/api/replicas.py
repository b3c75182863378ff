"""One model on several servers: each request goes to the replica that suits it best.

That is the replica with the fewest requests in flight or, with the routing ``"prefix"``, the
prompt's own one. Rendezvous hashing finds it: every prompt ranks the replicas in an order of its
own, the same in every process, so a replica that is left out hands its prompts to the others, and
gets them back. Bounded loads keep a prompt from its own replica while that one has far more in
flight than another.

A replica that fails is left out for a while: :data:`FIRST_PAUSE_S` at first, twice as long after
each further failure, up to :data:`LONGEST_PAUSE_S`. Then one request probes it. First it asks for
the list of models, for :data:`PROBE_S` at most, and goes elsewhere if none comes: so a server that
hangs costs no more than that. The request's own answer takes the replica back.

A request that met a failing replica is sent to another one at once, inside the same attempt: so it
keeps its budget of time, its place among the requests in flight, and is counted once. Only if no
replica is left does the attempt fail, and :mod:`econ_env.llm.api.batch` waits and tries again as
with a single server.

This module imports requests; import it only where a request is sent.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from econ_env.llm.api.connections import Flight
from econ_env.llm.api.errors import Fault, Kind
from econ_env.llm.api.settings import ReplicaRouting
from econ_env.llm.api.transport import Answer, Transport

_log = logging.getLogger("econ_env.llm.api")

FIRST_PAUSE_S = 1.0
"""Seconds for which a replica is left out after its first failure."""
LONGEST_PAUSE_S = 30.0
"""Longest time for which a replica is left out before it is probed again, in seconds."""
PROBE_S = 5.0
"""Longest wait for the list of models of a replica that is probed, in seconds."""
MUCH_BUSIER, SPARE = 2, 8
"""A replica is far busier than another with x requests in flight from ``MUCH_BUSIER`` · x +
``SPARE`` on: a server hardly slows down with a few more texts in its batch."""

_BROKEN = frozenset({Kind.UNAVAILABLE, Kind.UNREACHABLE})
_OUT_OF_ORDER = frozenset({502, 503, 504})


@dataclass(kw_only=True, eq=False, slots=True)
class _Replica:
    """One server, and what is known about it; guarded by the lock of its owner."""

    url: str
    transport: Transport
    in_flight: int = 0
    failures: int = 0
    """Failures since its last answer."""
    out_until_s: float = 0.0
    """End of the pause, on the clock; past if it is not left out."""
    probed: bool = False
    """True while one request finds out whether it is back."""

    def open_at(self, now_s: float) -> bool:
        """True if a request may be sent to it."""
        return not self.failures or (now_s >= self.out_until_s and not self.probed)


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Place:
    """A request in flight on a replica."""

    replica: _Replica
    outages: int
    """Failures of the replica that were known when the request was sent."""
    probes: bool
    """True if the request finds out whether the replica is back."""


class Replicas:
    """The servers of one model, behind the interface of one :class:`Transport`. Thread-safe.

    Args:
        transports: connections to each server, by its URL; at least one.
        routing: rule that chooses a replica.
        clock: returns seconds; for tests.
    """

    def __init__(
        self,
        transports: Sequence[tuple[str, Transport]],
        routing: ReplicaRouting = "least_busy",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._replicas = [_Replica(url=url, transport=each) for url, each in transports]
        self._routing = routing
        self._clock = clock
        self._lock = threading.Lock()

    def post(
        self, body: bytes, flight: Flight, *, prompt: str, limit_s: float, largest: int
    ) -> Answer | Fault:
        """Send one request to a replica, and to others if that one fails; see ``Transport.post``.

        The limit holds for all of it, and the flight gives each replica its whole time within it;
        ``prompt`` is what replicas may have read.
        """
        end_s = self._clock() + limit_s
        key = b"" if self._routing == "least_busy" else _hash(prompt.encode(errors="replace"))
        tried: list[_Replica] = []
        while True:
            place = self._enter(tried, key)
            tried.append(place.replica)
            works: bool | None = None
            try:
                result = self._ask(place, body, flight, end_s, largest)
                # A request that was given up says nothing about its server; one that got no answer
                # in its time does.
                if not flight.given_up:
                    works = not _is_broken(result)
            finally:
                others = self._leave(place, tried, works=works)
            if works is not False or not others or flight.given_up or self._clock() >= end_s:
                return result
            flight.restart(end_s)

    def _ask(
        self, place: _Place, body: bytes, flight: Flight, end_s: float, largest: int
    ) -> Answer | Fault:
        """Send a request to the replica of its place, if that one reacts where it is probed."""
        transport = place.replica.transport
        if place.probes and len(self._replicas) > 1:
            limit_s = min(PROBE_S, end_s - self._clock())
            flight.restart(self._clock() + limit_s)
            found = transport.ask_for_models(flight, limit_s=limit_s)
            if _is_broken(found):
                return found
            flight.restart(end_s)
        return transport.post(body, flight, limit_s=end_s - self._clock(), largest=largest)

    def close(self) -> None:
        """Close all connections that are not in use."""
        for replica in self._replicas:
            replica.transport.close()

    def _enter(self, tried: Sequence[_Replica], key: bytes) -> _Place:
        """Take a place at the best replica that was not tried."""
        with self._lock:
            now_s = self._clock()
            # If all are left out, the one whose pause ends first is asked, as a single server is.
            left = self._left(tried, now_s) or [min(self._replicas, key=lambda r: r.out_until_s)]
            chosen = self._best(left, key)
            chosen.in_flight += 1
            probes = chosen.failures > 0
            chosen.probed = chosen.probed or probes
            return _Place(replica=chosen, outages=chosen.failures, probes=probes)

    def _left(self, tried: Sequence[_Replica], now_s: float) -> list[_Replica]:
        """The replicas that are neither tried nor left out."""
        return [one for one in self._replicas if one not in tried and one.open_at(now_s)]

    def _best(self, left: Sequence[_Replica], key: bytes) -> _Replica:
        """The one of some replicas that gets the next request; ``key`` stands for its prompt."""
        # One that is due for a probe comes first: idle or busy, it gets exactly one request.
        idlest = min(left, key=lambda one: (not one.failures, one.in_flight))
        if self._routing == "least_busy" or idlest.failures:
            return idlest
        own = max(left, key=lambda one: _hash(key + one.url.encode()))
        return own if own.in_flight < MUCH_BUSIER * idlest.in_flight + SPARE else idlest

    def _leave(self, place: _Place, tried: Sequence[_Replica], *, works: bool | None) -> bool:
        """Give the place back and note if the replica works; return True if another one is left.

        Args:
            place: the place.
            tried: replicas that the request was sent to.
            works: None if the request has not shown it.
        """
        with self._lock:
            replica, now_s = place.replica, self._clock()
            replica.in_flight -= 1
            if place.probes:
                replica.probed = False
            if works:
                if replica.failures:
                    _log.info("%s answers again", replica.url)
                replica.failures = 0
            elif works is False and replica.failures == place.outages:
                # Otherwise it failed while this request was on it: one failure, not two.
                replica.failures += 1
                pause_s = _pause_s(replica.failures)
                replica.out_until_s = now_s + pause_s
                if len(self._replicas) > 1:
                    _log.warning("%s fails and is left out for %g s", replica.url, pause_s)
            return bool(self._left(tried, now_s))


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()


def _pause_s(failures: int) -> float:
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10)))


def _is_broken(result: Answer | Fault) -> bool:
    """True if the server is out of order: no connection, no answer, or nothing behind its proxy.

    A rate limit (429) is no failure, and neither is an error that the request itself may cause.
    """
    if isinstance(result, Fault):
        return result.kind in _BROKEN
    return result.status in _OUT_OF_ORDER
