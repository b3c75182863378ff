"""Explanations of connection errors, with advice where to look."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
from requests import exceptions as http
from urllib3.exceptions import NameResolutionError


def explain(
    error: requests.RequestException, url: str, connect_timeout_s: float, read_timeout_s: float
) -> str:
    """Explain ``error`` to a person who wants to reach ``url``."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    causes = list(_causes(error))
    if isinstance(error, http.ProxyError):
        return f"the proxy that HTTP_PROXY or HTTPS_PROXY names did not let {where} through"
    if any(isinstance(cause, (NameResolutionError, socket.gaierror)) for cause in causes):
        return f"the host name {parts.hostname!r} is not known: check its spelling, and your DNS"
    if isinstance(error, http.SSLError):
        return _tls(where, causes)
    if isinstance(error, http.ConnectTimeout):
        return (
            f"{where} did not accept a connection within {connect_timeout_s:g} s: the host is "
            "down, or a firewall drops the packets"
        )
    if isinstance(error, http.Timeout):
        return f"{where} accepted the connection, but said nothing for {read_timeout_s:g} s"
    numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
    if errno.ECONNREFUSED in numbers:
        return f"nothing listens at {where}: start the server, or check the port"
    if errno.ECONNRESET in numbers or any(isinstance(c, ConnectionError) for c in causes):
        hint = "it may need https://, or not be" if parts.scheme == "http" else "it may not be"
        return f"{where} closed the connection without an answer: {hint} an HTTP server"
    return f"{where} cannot be reached: {causes[-1]}"


def _tls(where: str, causes: list[BaseException]) -> str:
    wrong = next((c for c in causes if isinstance(c, ssl.SSLCertVerificationError)), None)
    if wrong is not None:
        return (
            f"the certificate of {where} is not accepted ({wrong.verify_message}). For a private "
            "one, set REQUESTS_CA_BUNDLE to the certificate file of its authority"
        )
    return (
        f"{where} does not speak TLS ({causes[-1]}). For a server without TLS, write http:// "
        "instead of https://"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and all errors wrapped in it, the innermost last."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        # Libraries wrap the reason as a cause, as an argument or as an attribute.
        inner = [one.__cause__, one.__context__, *one.args, *vars(one).values()]
        waiting += [item for item in inner if isinstance(item, BaseException)]
