"""A key that can be used but not printed, copied or stored."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import NoReturn, Protocol
from urllib.parse import quote

MASK = "[key]"

MIN_SECRET_LENGTH = 8
"""Shortest key that is removed from texts. Shorter ones are placeholders ("EMPTY", "none"), and
removing them would spoil ordinary texts."""

_ESCAPE = re.compile(r"\\u00([2-7][0-9a-fA-F])|\\(/)")
"""Spelling of a printable ASCII character, or of a slash, as an escape of JSON."""


class Scrubber(Protocol):
    """Something that removes secrets from texts."""

    def scrub(self, text: str) -> str:
        """Return ``text`` without the secrets."""
        ...

    def scrub_body(self, text: str) -> str:
        """Return a body without the secrets, even if its JSON spells characters as escapes."""
        ...

    def scrub_answer(self, text: str) -> str:
        """Return a model's answer without the secrets that are no ordinary words."""
        ...


class Secret:
    """The key of a server.

    ``str`` and ``repr`` do not show it, and it cannot be pickled or copied.

    Args:
        value: printable ASCII without spaces.

    Raises:
        ValueError: the value cannot be a key. The message does not contain it.
    """

    __slots__ = ("_value", "forms")

    def __init__(self, value: str) -> None:
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("a key must be printable ASCII without spaces")
        self._value = value
        forms = {value, quote(value, safe=""), html.escape(value), json.dumps(value)[1:-1]}
        if len(value) < MIN_SECRET_LENGTH:
            forms = set()
        self.forms = tuple(sorted(forms, key=len, reverse=True))
        """Spellings that are removed from texts, the longest first; none of a placeholder."""

    def reveal(self) -> str:
        """Return the key itself, for the header of a request only."""
        return self._value

    def scrub(self, text: str) -> str:
        """Return ``text`` without the key, in any form in which a server may have echoed it."""
        return _without(text, self.forms)

    def scrub_body(self, text: str) -> str:
        """Return a body without the key, even if its JSON spells characters as escapes."""
        return self.scrub(_without_escapes(text))

    def scrub_answer(self, text: str) -> str:
        """Return a model's answer without the key."""
        return self.scrub(text)

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is neither pickled nor copied: it is read from the environment")


class Secrets:
    """Several secrets, which are removed from texts together; ``repr`` shows none of them.

    Args:
        secrets: removed from every text.
        words: removed from all texts but the answers of models, which may use the same words.
    """

    def __init__(self, secrets: Iterable[Secret], words: Iterable[Secret] = ()) -> None:
        secrets = tuple(secrets)
        self._in_answers = _forms(secrets)
        self._anywhere = _forms((*secrets, *words))

    def scrub(self, text: str) -> str:
        """Return ``text`` without the secrets and the words."""
        return _without(text, self._anywhere)

    def scrub_body(self, text: str) -> str:
        """Return a body without both, even if its JSON spells characters as escapes."""
        return self.scrub(_without_escapes(text))

    def scrub_answer(self, text: str) -> str:
        """Return a model's answer without the secrets; the words are left in it."""
        return _without(text, self._in_answers)


def _forms(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """Return all forms, the longest first: of secrets that contain one another nothing is left."""
    found = {form for secret in secrets for form in secret.forms}
    return tuple(sorted(found, key=len, reverse=True))


def _without(text: str, forms: Iterable[str]) -> str:
    for form in forms:
        text = text.replace(form, MASK)
    return text


def _without_escapes(text: str) -> str:
    """Return a body in which no printable ASCII character is spelled as an escape."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):  # no JSON, or JSON that breaks off
        return _ESCAPE.sub(lambda found: found[2] or chr(int(found[1], 16)), text)
