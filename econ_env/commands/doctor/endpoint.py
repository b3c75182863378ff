"""The bare connection to a chat server: any field can be sent, and every answer is reported."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from econ_env.commands.doctor.connection import explain
from econ_env.llm.api.errors import Fault, Kind, fault_of_status, shortened
from econ_env.llm.api.reply import Choice, largest_body, read_reply
from econ_env.llm.api.secret import Secret
from econ_env.llm.api.settings import ApiSettings, all_secrets
from econ_env.llm.api.unpacking import CannotUnpack, unpacked
from econ_env.llm.types import FinishReason, Usage

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 120.0
TRIES = 4
"""Largest number of tries of a request, after faults that may be temporary."""
PAUSE_S, LONGEST_PAUSE_S = 0.5, 20.0
IN_FLIGHT = 8
"""Largest number of requests in flight."""
_MOST_TOKENS = 1_000
"""More tokens than any request here asks for; it bounds the answers that are read."""

_BAD_LUCK = frozenset({Kind.THROTTLED, Kind.UNAVAILABLE, Kind.UNUSABLE, Kind.UNREACHABLE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Result of one chat request."""

    fault: Fault | None = None
    """Fault of the last try; None: there is an answer."""
    texts: tuple[str, ...] = ()
    """One text for each choice; not empty without a fault."""
    finish_reason: FinishReason = "stop"
    """Finish reason of the first choice."""
    usage: Usage | None = None
    """Token counts of the server; None: it reports none."""


class _Bearer(AuthBase):
    """Sends the key. It is an object, so that no ``.netrc`` file replaces the key."""

    def __init__(self, key: Secret | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        return request


class Endpoint:
    """Sends requests to one server. Thread-safe.

    Args:
        url: base URL of the server, as in ``http://localhost:8000/v1``.
        key: sent as a bearer token; None: no key is sent. Messages never contain it.
        settings: further headers, query parameters and fields that the user has set.
        pause_s: wait before the second try, in seconds; it doubles with each try. If the server
            asks for a wait, that counts instead.
    """

    def __init__(
        self,
        url: str,
        key: Secret | None,
        settings: ApiSettings | None = None,
        *,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._url = url
        self._settings = ApiSettings() if settings is None else settings
        self._scrubber = all_secrets(key, self._settings)
        self._pause_s = pause_s
        self._session = requests.Session()
        self._session.headers.update(
            {"Accept-Encoding": "identity", **self._settings.extra_headers}
        )
        self._session.auth = _Bearer(key)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=IN_FLIGHT))

    def models(self) -> list[dict[str, Any]] | Fault:
        """Return the server's list of models; asked only once, since some servers have none."""
        response = self._send("GET", "/models", None)
        if isinstance(response, Fault):
            return response
        try:
            body = json.loads(response)
        except (ValueError, RecursionError):
            body = None
        found = body.get("data") if isinstance(body, dict) else body
        if not isinstance(found, list):
            return Fault(kind=Kind.UNUSABLE, words="the answer is not a list of models")
        return [model for model in found if isinstance(model, dict) and "id" in model]

    def chat(self, body: Mapping[str, Any]) -> Answer:
        """Send a chat request with these fields, changed by the settings and by nothing else."""
        body = {**self._settings.extra_body, **body}
        for name in self._settings.omit_fields:
            body.pop(name, None)
        pause_s = self._pause_s
        for _ in range(TRIES - 1):
            answer = self._chat_once(body)
            if answer.fault is None or answer.fault.kind not in _BAD_LUCK:
                return answer
            asked_s = answer.fault.wait_s
            time.sleep(min(pause_s if asked_s is None else asked_s, LONGEST_PAUSE_S))
            pause_s *= 2
        return self._chat_once(body)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _chat_once(self, body: Mapping[str, Any]) -> Answer:
        response = self._send("POST", "/chat/completions", body)
        if isinstance(response, Fault):
            return Answer(fault=response)
        reply = read_reply(
            response,
            choices=body.get("n", 1),
            max_tokens=_MOST_TOKENS,
            secret=self._scrubber,
        )
        if isinstance(reply, Fault):
            return Answer(fault=reply)
        choices = [choice for choice in reply.choices if isinstance(choice, Choice)]
        if not choices:
            return Answer(fault=next(c for c in reply.choices if isinstance(c, Fault)))
        return Answer(
            texts=tuple(choice.text for choice in choices),
            finish_reason=choices[0].finish_reason,
            usage=reply.usage,
        )

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> bytes | Fault:
        """Return the answer with status 200, or the fault."""
        try:
            response, received = self._receive(method, path, body)
        except requests.RequestException as error:
            words = explain(error, self._url, CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
            return Fault(kind=Kind.UNREACHABLE, words=self._clean(words))
        except Exception as error:  # noqa: BLE001 - a server can cause any
            words = f"the answer breaks the protocol ({type(error).__name__}: {error})"
            return Fault(kind=Kind.UNUSABLE, words=self._clean(words))
        if response.is_redirect:
            words = f"{response.status_code}, it redirects to {response.headers['location']}"
            return Fault(kind=Kind.ADDRESS, words=self._clean(words))
        if response.status_code != 200:
            text = self._scrubber.scrub_body(received.decode("utf-8", "replace"))
            return fault_of_status(response.status_code, response.headers, text, time.time())
        return received

    def _receive(
        self, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[requests.Response, bytes]:
        """Return the response and its contents, of which no more is read than an answer may have.

        Raises:
            CannotUnpack: the answer is longer, or packed in an unknown way.
        """
        largest = largest_body(_MOST_TOKENS, IN_FLIGHT)
        with self._session.request(
            method,
            self._url + path,
            json=body,
            params=dict(self._settings.query_parameters),
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            allow_redirects=False,
            stream=True,
        ) as response:
            try:
                data = response.raw.read(largest + 1, decode_content=False)
            except urllib3.exceptions.ReadTimeoutError as error:
                raise requests.ReadTimeout(error) from error
            except urllib3.exceptions.HTTPError as error:
                raise requests.ConnectionError(error) from error
            whole = unpacked(data, response.headers.get("content-encoding"), largest)
            if max(len(data), len(whole)) > largest:
                raise CannotUnpack(f"it has more than {largest} bytes")
            return response, whole

    def _clean(self, text: str) -> str:
        return shortened(self._scrubber.scrub(text))
