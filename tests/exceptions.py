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


def exceptions_of(package: ModuleType) -> list[type[Exception]]:
    """Return the exception classes that a package's modules define, except private ones."""
    return [
        kind
        for name in modules_of(package)
        for kind in vars(import_module(name)).values()
        if inspect.isclass(kind)
        and issubclass(kind, Exception)
        and kind.__module__ == name
        and not kind.__name__.startswith("_")
    ]
