"""The key of a model server: read from the environment, checked before the first request."""

from __future__ import annotations

import os
from collections.abc import Iterable

from econ_env.llm.api.address import Address, names_a_server, parse_address
from econ_env.llm.api.errors import KeyProblem
from econ_env.llm.api.secret import Secret


def key_of(address: Address, given: str | None = None) -> Secret | None:
    """Return the key for a server; None if it needs none and there is none.

    Args:
        address: of the model.
        given: the key; None: read from the environment variable of the server's profile.

    Raises:
        KeyProblem: the server needs a key and there is none, or the key is not valid.
    """
    variable = address.profile.key_variable
    value = (os.environ.get(variable, "") if given is None else given).strip()
    if not value:
        if address.profile.needs_key and address.is_default:
            raise KeyProblem(
                f"{address.name!r} needs a key: set the environment variable {variable}"
            )
        return None
    try:
        return Secret(value)
    except ValueError as error:
        raise KeyProblem(
            f"the key for {address.name!r} (environment variable {variable}) is not valid: {error}"
        ) from None


def check_keys(names: Iterable[str]) -> None:
    """Raise ``KeyProblem`` if one of these models is on a server that lacks its key."""
    for name in filter(names_a_server, names):
        key_of(parse_address(name))
