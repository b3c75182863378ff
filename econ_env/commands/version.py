"""Versions of this package and of the libraries below it, for bug reports."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from econ_env.version import __version__

LIBRARIES = ("torch", "transformers", "gymnasium", "pettingzoo")


def versions() -> str:
    """Return the name and version of this package, Python and each library, one per line.

    They are read from the installed packages; nothing is imported.
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
