"""Causes of failed episodes, as the environment's own records tell them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from econ_agents.environments import FAILED

_VARYING = re.compile(r"\w*\d\w*")
"""Word with a digit, such as the name of an agent or the number of a request."""


class FailureCauses:
    """Failed episodes by cause. Words with a digit do not distinguish causes."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def note(self, trace: Mapping[str, Any] | None) -> str | None:
        """Count a failed episode.

        Args:
            trace: the environment's record of it, whose entry ``failed`` holds the reason; None if
                it keeps none.

        Returns:
            The reason, if it is the first of its cause.
        """
        reason = None if trace is None else trace.get(FAILED)
        words = reason if isinstance(reason, str) else "the environment gives no reason"
        key = _VARYING.sub("#", words)
        self._counts[key] = self._counts.get(key, 0) + 1
        return words if self._words.setdefault(key, words) is words else None

    def lines(self) -> list[str]:
        """Return a line for each cause, commonest first: its number of episodes and its words."""
        commonest = sorted(self._counts, key=lambda key: -self._counts[key])
        return [f"{self._counts[key]} x {self._words[key]}" for key in commonest]
