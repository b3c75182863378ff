"""Finder of all exception classes of a package."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from types import ModuleType


def modules_of(package: ModuleType) -> list[str]:
    """Return the names of all modules of a package, except those that are programs."""
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [each.name for each in found if not each.name.endswith(".__main__")]


def importable(package: ModuleType) -> list[ModuleType]:
    """Import all modules of a package, except those whose optional library is not installed."""
    found = []
    for name in modules_of(package):
        try:
            found.append(import_module(name))
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith(package.__name__):
                raise
    return found


def exceptions_of(package: ModuleType) -> list[type[Exception]]:
    """Return the exception classes that a package's modules define, except private ones."""
    return [
        kind
        for module in importable(package)
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, Exception)
        and kind.__module__ == module.__name__
        and not kind.__name__.startswith("_")
    ]
