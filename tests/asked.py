"""Helpers that drive methods of the comparison without a model, by hand-written texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.comparison.asking import Asking
from benchmarks.comparison.baseline_prompts import CompactBaselines
from benchmarks.comparison.method import Prompted
from benchmarks.comparison.records import Item, Solution
from econ_env.game.prompt_fitting import ModelLimits
from econ_env.llm.types import ChatRequest
from tests.scripted import QUESTION, completion

ITEM = Item(question=QUESTION, run_seed=0)


def asking(*, context_limit: int | None = None, **changes: Any) -> Asking:
    """Make settings: compact prompts, rule "coordinator", one token per character by default."""
    settings: dict[str, Any] = {
        "prompts": CompactBaselines(),
        "top_p": 0.9,
        "coordinator": "c",
        "commitment_rule": "coordinator",
        "limits": lambda name: ModelLimits(context_limit=context_limit, count_tokens=len),
    }
    return Asking(**(settings | changes))


def drive(
    method: Prompted, *texts: Sequence[str], item: Item = ITEM
) -> tuple[Solution, list[list[ChatRequest]]]:
    """Answer every call with the next of ``texts``; return the solution and the requests."""
    play = method.play(item)
    asked = [next(play)]
    for number, answers in enumerate(texts, 1):
        assert len(answers) == len(asked[-1])
        try:
            asked.append(play.send([completion(text) for text in answers]))
        except StopIteration as end:
            assert number == len(texts), "it ended before all texts were used"
            return end.value, asked
    raise AssertionError("it asks for more than the test has written")
