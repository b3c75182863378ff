"""The key of a model server: read from the environment, checked before the first request.

A key goes to the host that it belongs to: that of its profile. It goes elsewhere only if the user
said so for that host, and only over https or to this machine. The word of the user stands in the
environment, beside the keys. So no file can give it: no configuration, checkpoint or data set.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from econ_env.errors import UsageError
from econ_env.llm.api.address import Address, names_a_server, parse_address
from econ_env.llm.api.errors import KeyProblem
from econ_env.llm.api.origin import origin_of, read_host
from econ_env.llm.api.secret import Secret
from econ_env.llm.api.settings import ApiSettings, key_headers

ALLOWED_HOSTS_VARIABLE = "ECON_ALLOW_KEY_FOR"
"""Environment variable with the further hosts that a profile's key may go to: ``HOST`` or
``HOST:PORT``, with commas between them."""


def key_of(address: Address, given: str | None = None) -> Secret | None:
    """Return the key for a server; None if it needs none and there is none that may go there.

    Replicas get one key, which may go to each of them, or none.

    Args:
        address: of the model.
        given: the key for this very address; None: read from the environment. The variable of the
            address's own host is read first (``Origin.key_variable``), then that of its profile,
            which counts on the profile's own server and on the hosts that the user allowed.

    Raises:
        KeyProblem: the server needs a key and there is none, the key is not valid, or it would go
            unencrypted to another machine or to some of the replicas only.
    """
    first, *others = [_key_of_one(replace(address, urls=(url,)), given) for url in address.urls]
    if any(_value_of(other) != _value_of(first) for other in others):
        raise KeyProblem(
            f"{address.name!r}: the replicas need one key, but a key may go to some of them only. "
            f"Allow it for each host with --allow-key-for (or {ALLOWED_HOSTS_VARIABLE})"
        )
    return first


def _key_of_one(address: Address, given: str | None) -> Secret | None:
    source, value = ("api_key", given) if given is not None else _from_environment(address)
    value = value.strip()
    if not value:
        if address.profile.needs_key and address.is_own_server:
            raise KeyProblem(f"{address.name!r} needs a key: {how_to_give_a_key(address)}")
        return None
    _check_private(address.url, f"the key of {source}")
    try:
        return Secret(value)
    except ValueError as error:
        raise KeyProblem(
            f"the key for {address.name!r} (environment variable {source}) is not valid: {error}"
        ) from None


def _value_of(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def check_keys(names: Iterable[str]) -> None:
    """Raise ``KeyProblem`` if one of these models is on a server that lacks its key."""
    for name in filter(names_a_server, names):
        key_of(parse_address(name))


def check_header_keys(address: Address, settings: ApiSettings) -> None:
    """Check that no key in ``extra_headers`` would go unencrypted to another machine.

    Raises:
        KeyProblem: one would.
    """
    for name in key_headers(settings):
        for url in address.urls:
            _check_private(url, f"the header {name}")


def _check_private(url: str, told: str) -> None:
    """Raise ``KeyProblem``, in whose words ``told`` is what it protects, if ``url`` is open."""
    origin = origin_of(url)
    if origin is None or not origin.is_private:
        raise KeyProblem(
            f"{told} is not sent to {url}: without https, everyone on the way could read it. Use "
            "https, or a tunnel that ends on this machine"
        )


def key_variable(address: Address) -> str:
    """Return the environment variable that the key of a server is, or would be, read from."""
    return _from_environment(address)[0]


def how_to_give_a_key(address: Address) -> str:
    """Say how a server gets its key, in words that follow a colon."""
    variable, origin = address.profile.key_variable, origin_of(address.url)
    if address.is_own_server:
        return f"set the environment variable {variable}"
    if origin is None:
        return "its URL is written in a way to which no key is sent: write the host plainly"
    own = "" if origin.key_variable is None else f", or set {origin.key_variable} instead"
    return (
        f"set the environment variable {variable} and allow it for this host, which is not its "
        f"own, with --allow-key-for {_shown(origin.host)} (or {ALLOWED_HOSTS_VARIABLE}){own}"
    )


@contextmanager
def keys_allowed_for(hosts: Sequence[str]) -> Iterator[None]:
    """Allow the keys of all profiles for these hosts too while the context is open.

    Args:
        hosts: each ``HOST`` or ``HOST:PORT``.

    Raises:
        UsageError: one is not a host.
    """
    for host in hosts:
        try:
            read_host(host)
        except ValueError as error:
            raise UsageError(f"--allow-key-for: {error}") from error
    before = os.environ.get(ALLOWED_HOSTS_VARIABLE)
    os.environ[ALLOWED_HOSTS_VARIABLE] = ",".join(filter(None, (before, *hosts)))
    try:
        yield
    finally:
        if before is None:
            del os.environ[ALLOWED_HOSTS_VARIABLE]
        else:
            os.environ[ALLOWED_HOSTS_VARIABLE] = before


def _from_environment(address: Address) -> tuple[str, str]:
    """Return the variable that holds the key for a server, and the key; empty if there is none."""
    origin, variable = origin_of(address.url), address.profile.key_variable
    if origin is None:
        return variable, ""
    own = origin.key_variable
    if own is not None and os.environ.get(own, "").strip():
        return own, os.environ[own]
    if address.is_own_server or _is_allowed(origin.host, origin.port):
        return variable, os.environ.get(variable, "")
    return variable, ""


def _is_allowed(host: str, port: int) -> bool:
    """Return True if the user allowed the keys of profiles for this host."""
    said = os.environ.get(ALLOWED_HOSTS_VARIABLE, "")
    try:
        allowed = [read_host(each.strip()) for each in said.split(",") if each.strip()]
    except ValueError as error:
        raise KeyProblem(f"the environment variable {ALLOWED_HOSTS_VARIABLE}: {error}") from error
    return (host, port) in allowed or (host, None) in allowed


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
