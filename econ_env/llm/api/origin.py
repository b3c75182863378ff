"""Origins of servers: scheme, host and port in one form, so that keys reach only their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_PLACE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
"""Host and port as they must be written; anything else may be read differently by a library."""
_LABELS = re.compile(r"[a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Scheme, host and port of a URL."""

    scheme: str
    host: str
    """Small letters, without a dot at the end; an IPv6 address without brackets."""
    port: int

    @property
    def is_this_machine(self) -> bool:
        """True for ``localhost`` and for loopback addresses in their usual form."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_private(self) -> bool:
        """True if nobody in between can read along: over https, or on this machine."""
        return self.scheme == "https" or self.is_this_machine

    @property
    def key_variable(self) -> str | None:
        """Environment variable of the host's own key; None if its name could mean two hosts.

        A dot becomes ``_`` and a hyphen ``__``: ``ECON_KEY_GPU__1_EXAMPLE_ORG`` belongs to
        ``gpu-1.example.org`` and to no other host.
        """
        if not _LABELS.fullmatch(self.host):
            return None
        return f"ECON_KEY_{self.host.replace('-', '__').replace('.', '_').upper()}"


def origin_of(url: str) -> Origin | None:
    """Return the origin of a URL; None unless its host and port are written plainly."""
    parts = urlsplit(url)
    place = _read_place(parts.netloc)
    if place is None or parts.scheme not in _PORTS:
        return None
    host, port = place
    return Origin(scheme=parts.scheme, host=host, port=port or _PORTS[parts.scheme])


def read_host(text: str) -> tuple[str, int | None]:
    """Read ``HOST`` or ``HOST:PORT``; the port is None if it is not given.

    Raises:
        ValueError: it is neither, for example a whole URL.
    """
    bare = f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text
    place = _read_place(bare)
    if place is None:
        raise ValueError(
            f"{text!r} is not a host: write its name or address, with a port if only that one is "
            "meant, as in gpu.example.org, localhost:8000 or [::1]:8000"
        )
    return place


def _read_place(text: str) -> tuple[str, int | None] | None:
    match = _PLACE.fullmatch(text)
    if match is None:
        return None
    host, port = match[1].lower().removesuffix("."), match[2]
    if host.startswith("["):
        try:
            host = str(IPv6Address(host[1:-1]))
        except ValueError:
            return None
    if port is not None and not 0 < int(port) < 2**16:
        return None
    return host, None if port is None else int(port)
