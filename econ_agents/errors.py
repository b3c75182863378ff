"""Root of the errors of this package: ``except econ_agents.EconAgentsError`` catches them all.

A wrong argument of a call raises ``ValueError`` or ``TypeError``, as everywhere in Python.
"""

from __future__ import annotations

from typing import ClassVar


class EconAgentsError(Exception):
    """Root of all errors of this package; messages are written for users and say what to do."""

    exit_code: ClassVar[int] = 2
    """Exit code of a command that ends with this error: 2 after a mistake of the user, 1 if the
    command was right but could not be carried out."""


def exit_code_of(error: Exception) -> int | None:
    """Exit code of a program that ends with an error written for users; None if it is a bug.

    Errors for users are those of the operating system (2) and those that have an ``exit_code``. All
    errors of this package have one, and so may those of the environment, which explain a wrong key
    or an unknown model: this package need not import them for that.
    """
    code = 2 if isinstance(error, OSError) else getattr(error, "exit_code", None)
    return code if isinstance(code, int) else None
