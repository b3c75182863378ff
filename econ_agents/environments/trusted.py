"""Factories that may be loaded although only a file names them.

A checkpoint or the folder of a run may come from somebody else, and a factory is code that is
called with arguments of the same file. So only factories are loaded that were installed to be
called in this way; any other must be named by the user again.
"""

from __future__ import annotations

import shlex
from importlib.metadata import entry_points

GROUP = "econ_agents.environments"
"""Group of entry points in which installed packages declare factories of environments."""
KNOWN = (
    "econ_env:batched_parallel_env",
    "econ_env:parallel_env",
    "mpe2.simple_spread_v3:parallel_env",
)
"""Factories of the presets: of the package that is installed together with this one, and of mpe2, a
collection of environments by the Farama Foundation, where it is installed."""


def is_trusted(factory: str) -> bool:
    """Return True if a file may name this factory, ``"package.module:callable"``."""
    declared = (entry.value.partition("[")[0].strip() for entry in entry_points(group=GROUP))
    return factory in KNOWN or factory in declared


def flag_of(factory: str) -> str:
    """End of a command that plays this factory: its flag, or "" if a file may name it."""
    return "" if is_trusted(factory) else f" --env.factory {shlex.quote(factory)}"


def how_to_trust(factory: str) -> str:
    """Say how a user lets a factory be loaded, as the end of a message."""
    return (
        f"{factory!r} is loaded only if you name it yourself, because it is code that is run: add "
        f"--env.factory {factory} if you trust it. Without that only factories of the presets are "
        f"loaded, and those that installed packages declare as entry points of {GROUP}"
    )
