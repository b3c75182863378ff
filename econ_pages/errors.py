"""The error of this package."""

from __future__ import annotations


class PageError(Exception):
    """A page cannot be made; the message is for people and says what to do."""

    exit_code = 2
    """Exit code of a command that this error ends."""
