"""Work of one worker at a time, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Task:
    """One piece of work of a worker. Its outcome depends on nothing but the task."""

    name: str
    """Name of the work, as it stands after the words "while they", for errors."""
    start: Callable[[Any], Any]
    """Starts the task on a worker; returns the reference of its result."""
