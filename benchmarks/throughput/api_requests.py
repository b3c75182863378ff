"""Requests, clients and checks for the measurements of the client of model servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from benchmarks.throughput.mock_server import TEXT, MockServer
from benchmarks.throughput.settings import WARM_UP_SEED
from econ_env.game.prompts import DEFAULT
from econ_env.llm.api import ApiModel, ApiSettings
from econ_env.llm.types import ChatRequest, Completion

MODEL = "mock"
TEMPERATURE, TOP_P, MAX_TOKENS = 0.7, 0.9, 512
QUESTION = (
    "A farmer collects {} eggs every day. Three of them are eaten for breakfast and four go into "
    "a cake. The others are sold at the market for 2 dollars each. How many dollars does the "
    "farmer make at the market every day?"
)
STRATEGY = "Count the eggs that are left after breakfast and baking, then multiply by the price."


def chat_requests(count: int) -> list[ChatRequest]:
    """Return requests as executors send them, all different, so that none share an answer."""
    return [
        ChatRequest(
            messages=DEFAULT.execute(QUESTION.format(number), STRATEGY),
            temperature=TEMPERATURE,
            top_p=TOP_P,
            max_tokens=MAX_TOKENS,
            seed=number,
            model=MODEL,
            role="execute",
        )
        for number in range(count)
    ]


@contextmanager
def client(server: MockServer, in_flight: int, *, profile: str = "openai") -> Iterator[ApiModel]:
    """Open this package's client of ``server``, with ``in_flight`` requests at a time.

    The profile "openai" has no repetition penalty, so none is sent.
    """
    settings = ApiSettings(
        max_concurrency=in_flight,
        second_action="none" if profile == "openai" else "repetition_penalty",
    )
    # A dummy key: the user's must not be sent to a mock.
    model = ApiModel(f"{profile}:{MODEL}@{server.url}", settings, api_key="no-key-is-needed")
    try:
        yield model
    finally:
        model.close()


def check(completions: Sequence[Completion]) -> None:
    """Stop if an answer is not the server's, since the measurement would be meaningless."""
    for completion in completions:
        if completion.error is not None or completion.text != TEXT:
            raise SystemExit(f"the mock server's answer was not understood: {completion}")


class CpuTime:
    """CPU time of a task in this process: milliseconds per item, one entry per repeat."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []

    def of(self, task: Callable[[int], int]) -> Callable[[int], int]:
        """Return ``task`` with a record of its CPU time, except in the warm-up."""

        def noted(repeat: int) -> int:
            start_s = time.process_time()
            count = task(repeat)
            if repeat != WARM_UP_SEED:
                self.milliseconds.append(1e3 * (time.process_time() - start_s) / count)
            return count

        return noted
