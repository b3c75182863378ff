"""The four outcomes of grading."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What grading an answer came to. Only ``CORRECT`` ever counts as correct."""

    CORRECT = "correct"
    """The answer was read and equals the gold answer."""
    INCORRECT = "incorrect"
    """The answer was read and differs from the gold answer."""
    UNPARSEABLE = "unparseable"
    """There is no answer, or it cannot be read as a value; also where the gold answer cannot."""
    TIMEOUT = "timeout"
    """Comparing took more time or memory than allowed, and was ended."""
