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
