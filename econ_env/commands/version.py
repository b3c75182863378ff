"""Versions of this package and of the libraries under it: what a report of a bug needs."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from econ_env.version import __version__

LIBRARIES = ("torch", "transformers", "gymnasium", "pettingzoo")


def versions() -> str:
    """Name and version of this package, Python and each library, one a line.

    They are read from what is installed; nothing is imported for it.
    """
    lines = [
        f"econ-env {__version__}",
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
        *(f"{name} {_installed(name)}" for name in LIBRARIES),
    ]
    return "\n".join(lines)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"
