"""Causes of failed episodes, as the environment's own records tell them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from econ_agents.environments import FAILED

MAX_CAUSES = 100
"""Largest number of causes that are told apart; all further ones count as one."""
MAX_CHARACTERS = 2_000
"""Maximum length of the words of a cause."""
_OTHERS = "other causes"
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
        return self._add(words[:MAX_CHARACTERS], 1)

    def add(self, counts: Mapping[str, int]) -> None:
        """Add the failed episodes of :meth:`counts`."""
        for words, count in counts.items():
            self._add(words[:MAX_CHARACTERS], count)

    def counts(self) -> dict[str, int]:
        """Return the number of episodes of each cause by its words, commonest first."""
        commonest = sorted(self._counts, key=lambda key: -self._counts[key])
        return {self._words[key]: self._counts[key] for key in commonest}

    def _add(self, words: str, count: int) -> str | None:
        key = _VARYING.sub("#", words)
        if key not in self._counts and len(self._counts) >= MAX_CAUSES:
            words = key = _OTHERS
        is_first = key not in self._counts
        self._words.setdefault(key, words)
        self._counts[key] = self._counts.get(key, 0) + count
        return words if is_first else None

    def lines(self) -> list[str]:
        """Return a line for each cause, commonest first: its number of episodes and its words."""
        return [f"{count} x {words}" for words, count in self.counts().items()]
