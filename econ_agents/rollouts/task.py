"""Work of one worker at a time, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one worker does at a time. Its outcome depends on nothing but the task."""

    name: str
    """What the worker does, after the words "while they", for errors."""
    start: Callable[[Any], Any]
    """Starts the task on a worker; returns the reference of its result."""
