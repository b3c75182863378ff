"""Names of models on servers: ``profile:MODEL``, ``profile:MODEL@URL`` or ``...@URL,URL``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from econ_env.llm.api.errors import WrongAddress
from econ_env.llm.api.origin import origin_of
from econ_env.llm.api.profiles import PROFILES, ServerProfile

_URL = re.compile(r"@(?=https?://)")
_NEXT_URL = re.compile(r",(?=https?://)")
_BARE_HOST = re.compile(r"@[\w.\-]+:\d+(?:/|$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Name, profile and URLs of a model on a server, or on several."""

    name: str
    """The whole string."""
    profile: ServerProfile
    model: str
    """Name of the model on the server."""
    urls: tuple[str, ...]
    """Base URLs of the replicas, at least one, without slashes at their ends."""

    @property
    def url(self) -> str:
        """Base URL of the first replica."""
        return self.urls[0]

    @property
    def is_own_server(self) -> bool:
        """True if scheme, host and port are those of the profile's own server."""
        origin = origin_of(self.url)
        own = None if self.profile.url is None else origin_of(self.profile.url)
        return origin is not None and origin == own


def names_a_server(name: str) -> bool:
    """Return True if ``name`` begins with the prefix of a profile."""
    prefix, colon, _ = name.partition(":")
    return bool(colon) and prefix in PROFILES


def parse_address(name: str) -> Address:
    """Parse ``name`` into an address.

    Raises:
        WrongAddress: it is incomplete, or its URL cannot be used.
    """
    prefix, _, rest = name.partition(":")
    if prefix not in PROFILES:
        raise WrongAddress(
            f"{_shown(name)} names no kind of model server: begin it with "
            + ", ".join(f'"{known}:"' for known in PROFILES)
        )
    profile = PROFILES[prefix]
    parts = _URL.split(rest, maxsplit=1)
    model = parts[0]
    if not model:
        raise WrongAddress(f'{_shown(name)} names no model: write "{prefix}:MODEL@URL"')
    if len(parts) == 2:
        urls = tuple(_checked(name, url) for url in _NEXT_URL.split(parts[1]))
        if len(set(urls)) < len(urls):
            raise WrongAddress(f"{_shown(name)} names a server twice")
        return Address(name=name, profile=profile, model=model, urls=urls)
    if _BARE_HOST.search(model):
        raise WrongAddress(f'{_shown(name)}: a URL begins with "http://" or "https://"')
    if profile.url is None:
        raise WrongAddress(
            f'{_shown(name)} does not say where the server is: write "{prefix}:MODEL@URL", '
            f'"{prefix}:{model}@http://localhost:8000/v1" for example'
        )
    return Address(name=name, profile=profile, model=model, urls=(profile.url,))


def _checked(name: str, url: str) -> str:
    """Check a base URL and return it without slashes at its end."""
    try:
        split = urlsplit(url)
        valid = bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        valid = False
    if not valid or any(character.isspace() for character in url):
        raise WrongAddress(f"{_shown(name)}: this is not a valid URL")
    if "@" in split.netloc or split.query or split.fragment:
        raise WrongAddress(
            f"{_shown(name)}: the URL must be plain, without user, password or query. Put the "
            "key into the environment variable of the server's profile"
        )
    if "," in url:
        raise WrongAddress(
            f'{_shown(name)}: replicas are separated by commas, and each URL begins with "http://" '
            'or "https://"'
        )
    base = url.rstrip("/")
    if base.endswith("/chat/completions"):
        raise WrongAddress(
            f"{_shown(name)}: give the base URL, without /chat/completions at its end"
        )
    return base


def _shown(name: str) -> str:
    """Return ``name`` for an error, without a possible password or key in its URL."""
    return repr(re.sub(r"//[^/@\s]*@", "//...@", re.sub(r"[?#].*", "?...", name)))
