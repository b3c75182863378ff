"""HTTP over pooled connections that can be broken off.

The connections are those of ``requests``, with its proxies and certificates. Two things are added:
a deadline for a whole answer (the time-outs of ``requests`` hold for single reads, so a server that
sends a byte now and then never exceeds one), and a way to break off requests in flight, so that
Ctrl-C does not wait for a server.

This module imports requests; import it only where a request is sent.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from typing import Any

import requests
import urllib3
import urllib3.connectionpool
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from econ_env.llm.api.connections import AbortableAdapter, Flight, embark
from econ_env.llm.api.errors import Fault, Kind, shortened
from econ_env.llm.api.secret import Scrubber, Secret
from econ_env.llm.api.settings import ApiSettings
from econ_env.llm.api.unpacking import CannotUnpack, unpacked

SHORTEST_TIMEOUT_S = 0.001
"""Shortest time-out of a connection or a read, in seconds: libraries refuse 0."""
CHAT, MODELS = "/chat/completions", "/models"
"""Ends of the addresses of chat requests and of the list of models."""
LONGEST_LIST = 1 << 20
"""Longest list of models that is read, in bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An HTTP answer of any status."""

    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    data: bytes


_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError)
"""Errors of a connection; any other one comes from what the server sent over it."""
_NOT_CONNECTED = (NewConnectionError, ConnectTimeoutError, ProxyError)

_NO_RETRIES = urllib3.Retry(0, read=False)
"""No retries by urllib3: :mod:`econ_env.llm.api.batch` decides about them."""


class Transport:
    """The connections to one server. Thread-safe.

    Args:
        url: address for chat requests.
        secret: the key, if there is one.
        settings: with the time-outs, the largest number of connections and further headers.
        scrubber: removes all secrets from descriptions of errors.
    """

    def __init__(
        self, url: str, secret: Secret | None, settings: ApiSettings, scrubber: Scrubber
    ) -> None:
        self._settings = settings
        self._scrubber = scrubber
        self._adapter = AbortableAdapter(pool_connections=1, pool_maxsize=settings.max_concurrency)
        session = requests.Session()
        # A session would look up proxies and certificates in the environment for every request;
        # here it happens once. The session is not used otherwise: ~/.netrc would replace the key by
        # another, and a redirect would turn the request into another one.
        found = session.merge_environment_settings(url, {}, True, None, None)
        self._proxies = found["proxies"]
        self._verify = found["verify"] or True
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        headers |= settings.extra_headers
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret.reveal()}"
        self._headers = headers
        self._template = requests.Request("POST", url).prepare()
        base, _, query = url.rpartition(CHAT)
        self._list = requests.Request("GET", f"{base}{MODELS}{query}").prepare()
        session.close()

    def post(self, body: bytes, flight: Flight, *, limit_s: float, largest: int) -> Answer | Fault:
        """Send one request and read its whole answer.

        Args:
            body: JSON.
            flight: handle to break the attempt off.
            limit_s: seconds that are left of the request's budget.
            largest: longest answer that is read, in bytes.
        """
        return self._send("POST", self._target, body, flight, limit_s=limit_s, largest=largest)

    def ask_for_models(self, flight: Flight, *, limit_s: float) -> Answer | Fault:
        """Ask for the list of models, which needs no model to answer.

        Args:
            flight: handle to break the attempt off.
            limit_s: longest time to connect, and to wait for the answer, in seconds.
        """
        target = self._adapter.request_url(self._list, self._proxies)
        return self._send("GET", target, None, flight, limit_s=limit_s, largest=LONGEST_LIST)

    def _send(
        self,
        method: str,
        target: str,
        body: bytes | None,
        flight: Flight,
        *,
        limit_s: float,
        largest: int,
    ) -> Answer | Fault:
        limit_s = max(limit_s, SHORTEST_TIMEOUT_S)
        connect_s = min(self._settings.connect_timeout_s, limit_s)
        read_s = min(self._settings.read_timeout_s, limit_s)
        embark(flight)
        try:
            response = self._pool.urlopen(
                method,
                target,
                body=body,
                headers=self._headers,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
                retries=_NO_RETRIES,
                timeout=urllib3.Timeout(connect=connect_s, read=read_s),
            )
            try:
                data = response.read(largest + 1, decode_content=False)
                whole = len(data) <= largest
                data = unpacked(data, response.headers.get("content-encoding"), largest)
            except BaseException:
                response.close()
                raise
            if not whole or len(data) > largest:
                response.close()
                words = f"the answer has more than {largest} bytes"
                return Fault(kind=Kind.UNUSABLE, words=words)
            response.release_conn()
            return Answer(status=response.status, headers=response.headers, data=data)
        except Exception as error:  # noqa: BLE001 - a server can cause any, and none may end a run
            fault = self._fault(error, flight)
        finally:
            flight.land()
        return fault

    @cached_property
    def _target(self) -> str:
        """The target in the first line of a request: a path, or the whole URL for a proxy."""
        target: str = self._adapter.request_url(self._template, self._proxies)
        return target

    @cached_property
    def _pool(self) -> urllib3.connectionpool.HTTPConnectionPool:
        """The connections that requests uses for this URL, with its proxies and certificates.

        Looked up once: requests would repeat the lookup, and the wrapping of its result, for every
        single request, which is almost half of the work.
        """
        template, verify = self._template, self._verify
        adapter: Any = self._adapter
        pool: urllib3.connectionpool.HTTPConnectionPool = adapter.get_connection_with_tls_context(
            template, verify, proxies=self._proxies
        )
        adapter.cert_verify(pool, template.url, verify, None)
        return pool

    def close(self) -> None:
        """Close all connections that are not in use."""
        # urllib3 itself delays this until the garbage collector finds the pools.
        managers = [self._adapter.poolmanager, *self._adapter.proxy_manager.values()]
        for pools in [manager.pools for manager in managers]:
            for key in pools.keys():  # noqa: SIM118 - not a dict, and not iterable
                pools[key].close()
        self._adapter.close()

    def _fault(self, error: Exception, flight: Flight) -> Fault:
        """Classify a failed attempt. The error itself is dropped, because it holds the request."""
        if flight.aborted:
            return Fault(
                kind=Kind.UNAVAILABLE, words="no whole answer came in time", timed_out=True
            )
        chain = _chain(error)
        root = chain[-1]
        words = shortened(self._scrubber.scrub(f"{type(root).__name__}: {root}"))
        if isinstance(error, CannotUnpack):
            return Fault(kind=Kind.UNUSABLE, words=shortened(self._scrubber.scrub(str(error))))
        if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
            return Fault(kind=Kind.CERTIFICATE, words=words)
        if isinstance(error, ReadTimeoutError):
            return Fault(kind=Kind.UNAVAILABLE, words="no answer came in time", timed_out=True)
        if any(isinstance(link, _NOT_CONNECTED) for link in chain):
            return Fault(kind=Kind.UNREACHABLE, words=words)
        if not isinstance(error, _BROKEN):
            return Fault(kind=Kind.UNUSABLE, words=f"the answer breaks the protocol: {words}")
        if isinstance(error, ValueError):
            # The errors of requests and urllib3 about a URL are also ValueErrors.
            return Fault(kind=Kind.ADDRESS, words=words)
        return Fault(kind=Kind.UNAVAILABLE, words=f"the connection broke: {words}")


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and its causes, the first cause last."""
    chain = [error]
    while True:
        link = chain[-1]
        reason = link.reason if isinstance(link, MaxRetryError) else None
        following = reason or link.__cause__ or link.__context__
        if following is None or following in chain:
            return chain
        chain.append(following)
