"""Versions of this package and of the libraries it uses, for bug reports."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from econ_agents import __version__

LIBRARIES = ("torch", "transformers", "gymnasium", "pettingzoo")


def versions() -> str:
    """Name and version of this package, Python and each library, one per line.

    They are read from the installed packages' metadata; no library is imported.
    """
    lines = [
        f"econ-agents {__version__}",
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
        *(f"{name} {_installed(name)}" for name in LIBRARIES),
    ]
    return "\n".join(lines)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"
