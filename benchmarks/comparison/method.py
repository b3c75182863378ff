"""Interfaces of methods, which turn questions into records in batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol, TypeAlias

from benchmarks.comparison.records import Item, Record, Solution
from econ_env.llm.types import ChatRequest, Completion

Attempt: TypeAlias = Generator[list[ChatRequest], Sequence[Completion], Solution]
"""Generator that answers one question without any I/O: it yields requests, is sent their
completions in order (none of them failed), and returns the solution. So a method can be tested
without a model, and a driver can play one question or a thousand in lock-step."""


class Prompted(Protocol):
    """A method made of prompts and rules alone."""

    @property
    def spec(self) -> str:
        """Name and settings, such as ``debate:rounds=3``, as records and tables name the method."""

    def play(self, item: Item) -> Attempt:
        """Answer one question."""


class Method(Protocol):
    """Anything that answers questions."""

    @property
    def spec(self) -> str:
        """Name and settings, as records and tables name the method."""

    def answer(
        self, items: Sequence[Item], report: Callable[[str], object] | None = None
    ) -> Iterator[Record]:
        """Answer every item, batch by batch; yield records in the items' order as batches end.

        A question with a failed request becomes a record with ``failed``, never a wrong answer.
        Records do not depend on which items are answered together, nor on earlier items.

        Args:
            items: any number of items, or none.
            report: called with a text about the progress, such as "round 2 of 3"; None: silent.

        Raises:
            ModelError: a model cannot be used, or no longer, as with an exhausted budget.
        """
