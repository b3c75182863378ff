"""Pooled connections that can be broken off from another thread.

This module imports requests; import it only where a request is sent.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import urllib3.connection
import urllib3.connectionpool
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError


class Flight:
    """One attempt that can be broken off from another thread: given up, or too late.

    Args:
        deadline_s: the time to break it off, on the clock of ``time.monotonic``.
        answer_s: longest time from the connection to the end of the answer, in seconds.
    """

    def __init__(self, deadline_s: float, answer_s: float) -> None:
        self.deadline_s = deadline_s
        self._answer_s = answer_s
        self.given_up = False
        """True once nobody waits for the answer any more."""
        self.late = False
        """True once the deadline has passed without an answer."""
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None

    def attach(self, sock: socket.socket) -> None:
        """Register the connection in use.

        A second handle is kept, because the first changes hands: TLS wraps it, and a response keeps
        it open after its connection object has let go of it.
        """
        handle = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            self._handle, handle_before = handle, self._handle
            if self.aborted:
                self._break_off()
        if handle_before is not None:
            handle_before.close()

    @property
    def attached(self) -> bool:
        """True if a connection is registered."""
        with self._lock:
            return self._handle is not None

    @property
    def aborted(self) -> bool:
        """True if it was broken off, for either reason."""
        return self.given_up or self.late

    def connected(self) -> None:
        """Start the time limit of the answer, now that the connection exists."""
        self.deadline_s = min(self.deadline_s, time.monotonic() + self._answer_s)

    def abort(self) -> None:
        """Give up: the thread that waits for the answer gets an error at once."""
        with self._lock:
            self.given_up = True
            self._break_off()

    def expire(self, now_s: float) -> None:
        """Break the connection off if the deadline has passed."""
        with self._lock:
            if self.deadline_s <= now_s:
                self.late = True
                self._break_off()

    def restart(self, deadline_s: float) -> None:
        """Begin anew, with another connection and deadline; what was given up stays so."""
        with self._lock:
            self.late = False
            self.deadline_s = deadline_s

    def _break_off(self) -> None:
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def land(self) -> None:
        """Release the connection."""
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None


_current = threading.local()


def embark(flight: Flight) -> None:
    """Register ``flight`` for the connections that this thread uses from now on."""
    _current.flight = flight


class _Abortable(urllib3.connection.HTTPConnection):
    """A connection that registers itself with the flight of its thread before it connects."""

    _pieces: list[bytes] | None = None
    """Pieces of the request that is being written; None between requests."""

    def _new_conn(self) -> socket.socket:
        """Connect as urllib3 does, but so that another thread can break it off."""
        try:
            found = socket.getaddrinfo(self.host, self.port, 0, socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, str(error)) from error
        problem: OSError = OSError("there is no address")
        for family, kind, protocol, _, address in found:
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                if isinstance(self.timeout, (int, float)):
                    sock.settimeout(self.timeout)
                _current.flight.attach(sock)
                sock.connect(address)
            except OSError as error:
                problem = error
                sock.close()
            else:
                _current.flight.connected()
                return sock
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(self, "the connection timed out") from problem
        raise NewConnectionError(self, str(problem)) from problem

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send in one piece, over a connection that may have been used before."""
        if self.sock is not None and not _current.flight.attached:
            _current.flight.attach(self.sock)
            _current.flight.connected()
        self._pieces = []
        try:
            super().request(*args, **kwargs)
            whole = b"".join(self._pieces)
        finally:
            self._pieces = None
        self.send(whole)

    def send(self, data: Any) -> None:
        """Send at once, or collect for :meth:`request`: each piece would be a packet of its own."""
        if self._pieces is None:
            super().send(data)
        else:
            self._pieces.append(data)


class _AbortableTls(_Abortable, urllib3.connection.HTTPSConnection):
    pass


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _Abortable


class _TlsPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _AbortableTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class AbortableAdapter(HTTPAdapter):
    """The adapter of requests, with connections that register with their thread's flight."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of connections without a proxy."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pools of connections through a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
