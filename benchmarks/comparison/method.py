"""What a method is: from questions to records, in batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol, TypeAlias

from benchmarks.comparison.records import Item, Record, Solution
from econ_env.llm.types import ChatRequest, Completion

Attempt: TypeAlias = Generator[list[ChatRequest], Sequence[Completion], Solution]
"""One question answered without any I/O: yields requests, is sent their completions in order
(none of them failed), returns the solution. So a method is tested without a model, and a driver
plays one question or a thousand in lock-step."""


class Prompted(Protocol):
    """A method that is nothing but prompts and rules."""

    @property
    def spec(self) -> str:
        """Name and settings, such as ``debate:rounds=3``: what records and tables call it."""

    def play(self, item: Item) -> Attempt:
        """Answer one question."""


class Method(Protocol):
    """Anything that answers questions."""

    @property
    def spec(self) -> str:
        """Name and settings: what records and tables call it."""

    def answer(
        self, items: Sequence[Item], report: Callable[[str], object] | None = None
    ) -> Iterator[Record]:
        """Answer every item, batch by batch; records come in the items' order as batches end.

        A question whose request failed becomes a record with ``failed``: never a wrong answer.
        Records do not depend on which items are answered together, nor on what was before.

        Args:
            items: any number, also none.
            report: told what is being done, such as "round 2 of 3"; None: nobody is.

        Raises:
            ModelError: a model cannot be used, or no longer (an exhausted budget).
        """
