"""The errors of this package: one root, so that ``except econ_env.EconError`` catches them all.

A wrong argument of a call is a ``ValueError`` or a ``TypeError``, as everywhere in Python.
"""

from __future__ import annotations

from typing import ClassVar


class EconError(Exception):
    """The root of all errors of this package; the message is for people and says what to do."""

    exit_code: ClassVar[int] = 2
    """Exit code of a command that this error ends: 2 after a mistake of the user, 1 if the command
    was right but could not be carried out."""

    lets_others_finish: ClassVar[bool] = False
    """True if nothing is broken, so that calls beside the one that raised it end by themselves."""


class UsageError(EconError):
    """A flag or a setting has a value that cannot be played."""
