"""Versions of a program and of the libraries below it, for bug reports."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("torch", "transformers", "gymnasium", "pettingzoo")


def versions(program: str, program_version: str) -> str:
    """Return the name and version of the program, of Python and of each library, one per line.

    Those of libraries are read from the installed packages' metadata; no library is imported.
    """
    lines = [
        f"{program} {program_version}",
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
        *(f"{name} {_installed(name)}" for name in LIBRARIES),
    ]
    return "\n".join(lines)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"
