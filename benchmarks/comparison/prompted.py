"""Driver of methods made of prompts and rules: questions in lock-step, one call per model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from benchmarks.comparison.billing import bill
from benchmarks.comparison.grading import failure, graded
from benchmarks.comparison.method import Attempt, Prompted
from benchmarks.comparison.records import Item, Record, Solution
from econ_env.envs.lockstep import ask
from econ_env.game.prompt_fitting import PromptTooLong
from econ_env.llm.budget.prices import Price
from econ_env.llm.models import Models
from econ_env.llm.types import ChatRequest, Completion, Usage


class PromptedMethod:
    """A :class:`~benchmarks.comparison.method.Method` made of a :class:`Prompted`.

    Args:
        prompted: the prompts and rules.
        models: models that answer.
        prices: prices of models by name; a model without a price makes costs unknown.
        in_flight: questions that are answered side by side.
    """

    def __init__(
        self,
        prompted: Prompted,
        models: Models,
        prices: Mapping[str, Price],
        *,
        in_flight: int,
    ) -> None:
        self._prompted = prompted
        self._models = models
        self._prices = prices
        self._in_flight = in_flight

    @property
    def spec(self) -> str:
        """Name and settings, as records and tables name the method."""
        return self._prompted.spec

    def answer(
        self, items: Sequence[Item], report: Callable[[str], object] | None = None
    ) -> Iterator[Record]:
        """See :meth:`benchmarks.comparison.method.Method.answer`."""
        for start in range(0, len(items), self._in_flight):
            yield from self._wave(items[start : start + self._in_flight], report)

    def _wave(self, items: Sequence[Item], report: Callable[[str], object] | None) -> list[Record]:
        begun = time.monotonic()
        running = [_Running(item, self._prompted.play(item), self._prices) for item in items]
        while waiting := [one for one in running if one.requests]:
            requests = [request for one in waiting for request in one.requests]
            if report is not None:
                report(f"{len(requests)} requests of {len(waiting)} questions")
            completions = iter(ask(requests, self._models))
            for one in waiting:
                one.take([next(completions) for _ in one.requests])
        wall_s = (time.monotonic() - begun) / len(items)
        return [one.record(self.spec, wall_s) for one in running]


class _Running:
    """One question while it is answered."""

    def __init__(self, item: Item, play: Attempt, prices: Mapping[str, Price]) -> None:
        self._item = item
        self._play = play
        self._prices = prices
        self._calls: list[tuple[str, Usage]] = []
        self._failed: str | None = None
        self._solution: Solution | None = None
        self.requests: list[ChatRequest] = []
        self._go_on(lambda: next(play))

    def take(self, completions: Sequence[Completion]) -> None:
        """Continue with the completions of ``requests``, or stop if one of them failed."""
        for request, completion in zip(self.requests, completions, strict=True):
            self._calls.append((request.model, completion.usage))
            if completion.error is not None and self._failed is None:
                self._failed = f"model {request.model!r}: {completion.error}"
        if self._failed is not None:
            self._play.close()
            self.requests = []
            return
        self._go_on(lambda: self._play.send(completions))

    def _go_on(self, resume: Callable[[], list[ChatRequest]]) -> None:
        """Resume the attempt: set its next requests, its solution, or why no prompt fits."""
        self.requests = []
        try:
            self.requests = resume()
        except StopIteration as end:
            self._solution = end.value
        except PromptTooLong as problem:
            self._failed = str(problem)

    def record(self, spec: str, wall_s: float) -> Record:
        """Return the record of the finished question."""
        spent = bill(self._calls, self._prices)
        if self._solution is None:
            return failure(spec, self._item, str(self._failed), spent, wall_s)
        return graded(spec, self._item, self._solution, spent, wall_s)
