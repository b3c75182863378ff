"""The replies that verdicts are based on: each question is asked once, and its reply kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from econ_env.commands.doctor.effects import Cell, Effect, judge
from econ_env.errors import EconError

PROMPTS = (
    "Write a list of thirty unusual words, separated by commas.",
    "Write a poem in which every line begins with the word blue.",
    "Tell a story about a lighthouse keeper who finds a box of old letters.",
    "Invent ten names of imaginary cities and write each of them twice.",
    "Describe a dream about the sea in short sentences that all begin with And.",
)
"""Open tasks, so that temperature and seed show early, that also lead to repetition, so that a
repetition penalty shows."""

MAX_TOKENS = 32
"""Length of the replies in tokens: enough for two texts to differ, and cheap."""

ROUNDS = 2
"""Most rounds over the prompts; the second follows only if the first is unclear."""

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question: a prompt and its seed."""

    prompt: str
    seed: int


class CannotMeasureError(EconError):
    """Requests failed, so there is nothing to compare. The message gives the reason."""

    exit_code = 1


class Sampler(Generic[S]):
    """Asks each question under the settings to compare.

    A call of ``ask`` holds each prompt only once: a client that sends equal requests as one, with
    ``n``, would otherwise hide the server's treatment of a seed.

    Args:
        ask: sends the questions under one setting, side by side, and returns the texts in order;
            raises :class:`CannotMeasureError` if one is not available.
    """

    def __init__(self, ask: Callable[[S, Sequence[Question]], list[str]]) -> None:
        self._ask = ask
        self._kept: dict[tuple[S, int, int], list[str]] = {}

    def effect(self, first: S, second: S, *, large: bool) -> Effect:
        """Judge the difference between replies under ``second`` and under ``first``.

        Raises:
            CannotMeasureError: a request failed.
        """
        cells: list[Cell] = []
        for number in range(ROUNDS):
            # Interleaved, so that a change of the server over time does not look like an effect.
            a1, b1 = self._texts(first, number, 0), self._texts(second, number, 0)
            a2, b2 = self._texts(first, number, 1), self._texts(second, number, 1)
            cells += [
                Cell(first=(a1[i], a2[i]), second=(b1[i], b2[i])) for i in range(len(PROMPTS))
            ]
            effect = judge(cells, large=large)
            if effect.kind != "unclear":
                break
        return effect

    def _texts(self, setting: S, number: int, copy: int) -> list[str]:
        """Return the replies to all prompts in round ``number``; ``copy`` marks equal requests."""
        key = (setting, number, copy)
        if key not in self._kept:
            questions = [
                Question(prompt=prompt, seed=1 + index + number * len(PROMPTS))
                for index, prompt in enumerate(PROMPTS)
            ]
            self._kept[key] = self._ask(setting, questions)
        return self._kept[key]
