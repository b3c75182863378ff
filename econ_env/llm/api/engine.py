"""Shared state of all batches of one client: threads, connections, knowledge about the server."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlencode

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
    ServerBroken,
    UnknownModel,
    WrongAddress,
    fault_of_status,
    shortened,
)
from econ_env.llm.api.replicas import Replicas
from econ_env.llm.api.reply import OPEN_THOUGHT, Choice, Reply, largest_body, read_reply
from econ_env.llm.api.secret import Secret
from econ_env.llm.api.server_key import how_to_give_a_key, key_variable
from econ_env.llm.api.settings import ApiSettings, all_secrets
from econ_env.llm.api.transport import Transport
from econ_env.llm.types import ChatRequest

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
        self.only_errors = True
        """True as long as the server has said nothing but "500"."""
        self.takes_system: bool | None = None
        """True if the model takes system messages; None: not known yet."""
        self._folded_answers = 0
        self.opens_thoughts = False
        """True if a reply has ended a thought that its model's chat template had begun."""
        self.choices = profile.max_choices
        """Largest number of answers in one HTTP request."""
        self.limit = AdaptiveLimit(
            settings.max_concurrency, profile.initial_concurrency or settings.max_concurrency
        )
        self._secret = secret
        self._scrubber = all_secrets(secret, settings)
        query = f"?{urlencode(settings.query_parameters)}" if settings.query_parameters else ""
        self._transport = Replicas(
            [
                (
                    url,
                    Transport(f"{url}/chat/completions{query}", secret, settings, self._scrubber),
                )
                for url in address.urls
            ],
            settings.replica_routing,
        )
        self.pool = ThreadPoolExecutor(settings.max_concurrency, thread_name_prefix="econ-api")
        self._answered = False
        self._refusals: Counter[str] = Counter()
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def attempt(
        self, request: ChatRequest, body: bytes, *, choices: int, flight: Flight, limit_s: float
    ) -> Reply | Fault:
        """Send a request's body once; return the answers, or the fault that prevented them.

        This is the boundary to the server: whatever it sends, no exception leaves this method.
        """
        max_tokens = request.max_tokens
        prompt = "\n".join(message.content for message in request.messages)
        largest = largest_body(max_tokens, choices)
        try:
            answer = self._transport.post(
                body, flight, prompt=prompt, limit_s=limit_s, largest=largest
            )
            if isinstance(answer, Fault):
                return answer
            if answer.status == 200:
                return read_reply(
                    answer.data, choices=choices, max_tokens=max_tokens, secret=self._scrubber
                )
            text = self._scrubber.scrub_body(answer.data.decode("utf-8", "replace"))
            return fault_of_status(answer.status, answer.headers, text, time.time())
        except Exception as error:  # noqa: BLE001 - a fault of this request, not of the run
            words = shortened(self._scrubber.scrub(f"{type(error).__name__}: {error}"))
            return Fault(kind=Kind.UNUSABLE, words=f"the answer cannot be read ({words})")

    def learn_system(self, *, folded: bool, sure: bool) -> None:
        """Note the answer to a request with a system message.

        Args:
            folded: its text was put into the user's message, after a refusal.
            sure: the refusal was no mere breakdown, which may have passed in the meantime.
        """
        if not folded:
            self.takes_system = True
            return
        self._folded_answers += 1
        if self.takes_system is None and (sure or self._folded_answers > 1):
            self.takes_system = False
            self.tell(
                logging.WARNING,
                "system",
                "the model takes no system messages, so their text is put in front of the user's",
            )

    def with_marked_thoughts(self, reply: Reply) -> Reply:
        """Mark the thoughts that the chat template began and the token limit cut off.

        Such a thought has no tag at all. It is recognised once another reply of this model has
        shown the end of one.
        """
        found = [choice for choice in reply.choices if isinstance(choice, Choice)]
        if any(choice.thought == "foreign" for choice in found):
            self.opens_thoughts = True
        if not self.opens_thoughts:
            return reply
        return replace(reply, choices=tuple(map(_marked, reply.choices)))

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
        name, url = self.address.name, " or ".join(self.address.urls)
        if fault.status == 500:
            return ServerBroken(
                f"{name}: {url} has answered nothing but errors: its own log says why, and "
                f"`econ-env doctor` what it accepts. It says: {fault.words}"
            )
        if fault.kind is Kind.KEY:
            problem = (
                f"needs a key: {how_to_give_a_key(self.address)}"
                if self._secret is None
                else "does not accept the key: check the environment variable "
                f"{key_variable(self.address)}"
            )
            return KeyProblem(f"{name}: {url} {problem}. It says: {fault.words}")
        if fault.kind is Kind.ACCOUNT:
            return AccountExhausted(
                f"{name}: the account at {url} has no credit left. It says: {fault.words}"
            )
        if fault.kind is Kind.MODEL:
            return UnknownModel(
                f"{name}: {url} has no model {self.address.model!r}: take one of those that "
                f"{url}/models lists; econ-env doctor --llm {name} names the nearest. It says: "
                f"{fault.words}"
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


def _marked(choice: Choice | Fault) -> Choice | Fault:
    """Mark an answer of a model that begins with a thought as a thought, if it was cut in it."""
    if isinstance(choice, Fault) or choice.thought != "none" or choice.finish_reason != "length":
        return choice
    return replace(choice, text=f"{OPEN_THOUGHT}{choice.text}", thought="cut")
