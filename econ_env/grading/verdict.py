"""The four outcomes of grading."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """Outcome of grading an answer. Only ``CORRECT`` ever counts as correct."""

    CORRECT = "correct"
    """The answer was read and equals the gold answer."""
    INCORRECT = "incorrect"
    """The answer was read and differs from the gold answer."""
    UNPARSEABLE = "unparseable"
    """There is no answer, or it or the gold answer cannot be read as a value."""
    TIMEOUT = "timeout"
    """The comparison exceeded its time or memory and was stopped."""
