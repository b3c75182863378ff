"""Checks of a team's models before anything large is read or fetched."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from econ_env.config import EnvConfig
from econ_env.llm.api.address import names_a_server, parse_address
from econ_env.llm.api.server_key import check_keys
from econ_env.llm.cache.store import default_cache_path
from econ_env.llm.local.catalogue import fetched_file
from econ_env.llm.registry import LOCAL
from econ_env.llm.types import ModelError

TIMEOUT_S = 5.0
"""Time in which a server must accept a connection."""
_PORTS = {"http": 80, "https": 443}


def check_models(config: EnvConfig) -> None:
    """Check keys of servers, then files of public models, then addresses; load and ask nothing.

    Addresses are checked only where an embedder would have to be read or downloaded next. Nothing
    is checked if there is a cache, which may hold all answers.

    Raises:
        ModelError: a key or a file is missing, or a server accepts no connection.
    """
    if config.cache == "replay" or (config.cache == "read_write" and _cache_file(config).exists()):
        return
    team = config.team()
    names = [name for name in team.names if name not in team.given]
    check_keys(names)
    for name in names:
        if name.startswith(LOCAL):
            fetched_file(name.removeprefix(LOCAL))
    if isinstance(embedder := config.resolved_embedder(), str) and embedder != "hashing":
        check_addresses(filter(names_a_server, names))


def _cache_file(config: EnvConfig) -> Path:
    return default_cache_path() if config.cache_path is None else Path(config.cache_path)


def check_addresses(names: Iterable[str]) -> None:
    """Raise ``ModelError`` if a server accepts no connection; behind a proxy nobody can tell."""
    if _PORTS.keys() & getproxies().keys():
        return
    for name in names:
        for url in parse_address(name).urls:
            parts = urlsplit(url)
            place = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
            try:
                socket.create_connection(place, TIMEOUT_S).close()
            except OSError as error:
                reason = error.strerror or str(error) or type(error).__name__
                raise ModelError(
                    f"{name!r}: nothing answers at {place[0]}:{place[1]} ({reason}): start the "
                    "server, or check host and port"
                ) from error
