"""Shared state of all batches of one client: threads, connections, knowledge about the server."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from econ_env.llm.api.address import Address
from econ_env.llm.api.concurrency import AdaptiveLimit
from econ_env.llm.api.connections import Flight
from econ_env.llm.api.errors import (
    AccountExhausted,
    AlwaysRefuses,
    ApiError,
    Fault,
    KeyProblem,
    Kind,
    UnknownModel,
    WrongAddress,
    fault_of_status,
)
from econ_env.llm.api.reply import Reply, read_reply
from econ_env.llm.api.secret import Secret
from econ_env.llm.api.settings import ApiSettings
from econ_env.llm.api.transport import Transport

MAX_REFUSALS = 8
"""Number of equal refusals after which a server that has never answered is not asked again."""

_log = logging.getLogger("econ_env.llm.api")


class Engine:
    """The running part of a client. Thread-safe.

    Its threads and connections are created on demand, and end with :meth:`shut_down`.
    """

    def __init__(self, address: Address, secret: Secret | None, settings: ApiSettings) -> None:
        profile = address.profile
        self.address = address
        self.settings = settings
        self.pid = os.getpid()
        """Id of the process that owns the threads and connections."""
        self.reached = False
        """True if the server has ever accepted a connection."""
        self.choices = profile.max_choices
        """Largest number of answers in one HTTP request."""
        self.limit = AdaptiveLimit(
            settings.max_concurrency, profile.initial_concurrency or settings.max_concurrency
        )
        self._secret = secret
        self._transport = Transport(f"{address.url}/chat/completions", secret, settings)
        self.pool = ThreadPoolExecutor(settings.max_concurrency, thread_name_prefix="econ-api")
        self._answered = False
        self._refusals: Counter[str] = Counter()
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def attempt(self, body: bytes, choices: int, flight: Flight, limit_s: float) -> Reply | Fault:
        """Send a body once; return the answers, or the fault that prevented them."""
        answer = self._transport.post(body, flight, limit_s=limit_s)
        if isinstance(answer, Fault):
            return answer
        if answer.status == 200:
            return read_reply(answer.data, choices=choices, secret=self._secret)
        text = answer.data.decode("utf-8", "replace")
        if self._secret is not None:
            text = self._secret.scrub_body(text)
        return fault_of_status(answer.status, answer.headers, text, time.time())

    def tell(self, level: int, topic: str, text: str) -> None:
        """Log a topic once."""
        with self._lock:
            if topic in self._said:
                return
            self._said.add(topic)
        _log.log(level, "%s: %s", self.address.name, text)

    def retrying(self, attempt: int, fault: Fault, wait_s: float) -> None:
        """Log an attempt without an answer."""
        name = self.address.name
        if fault.kind is Kind.THROTTLED:
            self.tell(
                logging.INFO,
                "throttled",
                f"throttled, so fewer requests are sent at a time: {fault.words}",
            )
        _log.debug("%s: attempt %d: %s; next in %.3g s", name, attempt, fault.words, wait_s)

    def answered(self) -> None:
        """Note that the server has answered a request: it does not refuse them all."""
        self._answered = True

    def refused(self, fault: Fault) -> None:
        """Note a refusal.

        Raises:
            AlwaysRefuses: the server has refused :data:`MAX_REFUSALS` requests in the same words,
                and answered none.
        """
        self._refusals[fault.words] += 1
        if not self._answered and self._refusals[fault.words] >= MAX_REFUSALS:
            raise AlwaysRefuses(
                f"{self.address.name}: {self.address.url} has answered no request, and refused "
                f"{MAX_REFUSALS} in the same words: {fault.words}. To see which setting it does "
                f"not accept: econ-env doctor --llm {self.address.name}"
            )

    def error(self, fault: Fault) -> ApiError:
        """Return the exception for a fault that affects all requests."""
        name, url, variable = self.address.name, self.address.url, self.address.profile.key_variable
        if fault.kind is Kind.KEY:
            problem = (
                f"needs a key: set the environment variable {variable}"
                if self._secret is None
                else f"does not accept the key: check the environment variable {variable}"
            )
            return KeyProblem(f"{name}: {url} {problem}. It says: {fault.words}")
        if fault.kind is Kind.ACCOUNT:
            return AccountExhausted(
                f"{name}: the account at {url} has no credit left. It says: {fault.words}"
            )
        if fault.kind is Kind.MODEL:
            return UnknownModel(
                f"{name}: {url} has no model {self.address.model!r}: take one of those that "
                f"{url}/models lists. It says: {fault.words}"
            )
        if fault.kind is Kind.UNREACHABLE:
            return WrongAddress(
                f"{name}: {url} cannot be reached: is the server running, and is this its host "
                f"and port? ({fault.words})"
            )
        if fault.kind is Kind.CERTIFICATE:
            return WrongAddress(
                f"{name}: the certificate of {url} is not trusted: set REQUESTS_CA_BUNDLE to the "
                f"certificate file of the authority that signed it ({fault.words})"
            )
        return WrongAddress(
            f"{name}: there is no chat endpoint at {url}: give the base URL of an "
            f'OpenAI-compatible server, which usually ends in "/v1". It says: {fault.words}'
        )

    def shut_down(self) -> None:
        """End all threads and close all connections. Nothing may be in flight."""
        self.pool.shutdown(wait=True)
        self._transport.close()
