"""A budget stops the request that could cross it, and nothing that is answered is lost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.llm.budget.limits import Budget, BudgetExceeded, BudgetLimits, LimitedModel, Spending
from econ_env.llm.budget.prices import KNOWN_PRICES, Price, find_prices, read_prices
from econ_env.llm.incremental import Answers
from econ_env.llm.types import ChatRequest, Completion, Message, ModelError, Usage

DOLLAR = Price(prompt_usd_per_million=1e6, completion_usd_per_million=1e6)
"""One dollar a token."""


class Talker:
    """Writes as many tokens as told, reads one token a character."""

    context_limit: int | None = None
    tokens_per_message = 0

    def __init__(self, writes: Sequence[int] = (), *, silent: bool = False) -> None:
        self.name = "m"
        self.batches: list[int] = []
        self._writes = iter(writes)
        self._silent = silent

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        self.batches.append(len(requests))
        return [self._answer(request) for request in requests]

    def _answer(self, request: ChatRequest) -> Completion:
        prompt, written = len(request.messages[0].content), next(self._writes, 1)
        usage = Usage(prompt_tokens=prompt, completion_tokens=written, requests=1)
        return Completion(text="x" * written, usage=Usage() if self._silent else usage)

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass


def asks(count: int, *, prompt: int = 4, max_tokens: int = 6) -> list[ChatRequest]:
    return [
        ChatRequest(
            messages=(Message(role="user", content="x" * prompt),),
            temperature=0.0,
            max_tokens=max_tokens,
            seed=seed,
            model="m",
            role="execute",
        )
        for seed in range(count)
    ]


def limited(model: Talker, **limits: Any) -> tuple[LimitedModel, Budget]:
    budget = Budget(BudgetLimits(**limits), {"m": DOLLAR})
    return LimitedModel(model, budget), budget


def test_without_limits_everything_is_asked_at_once_and_counted() -> None:
    model = Talker()
    asked, budget = limited(model)
    assert len(asked.generate(asks(5))) == 5
    assert model.batches == [5]
    assert budget.usage == Usage(prompt_tokens=20, completion_tokens=5, requests=5)
    assert budget.spent == Spending(requests=5, tokens=25, cost_usd=25.0)


@pytest.mark.parametrize(
    ("limits", "sent", "words"),
    [
        ({"max_requests": 3}, 3, ["max_requests=3", "3 requests"]),
        ({"max_total_tokens": 15}, 2, ["max_total_tokens=15", "10 tokens", "up to 10 tokens"]),
        ({"max_cost_usd": 15.0}, 2, ["max_cost_usd=15.0", "$10.0", "cost up to $10.0"]),
    ],
    ids=str,
)
def test_the_request_that_could_cross_a_limit_is_not_sent(
    limits: dict[str, Any], sent: int, words: list[str]
) -> None:
    model = Talker()
    asked, budget = limited(model, **limits)
    with pytest.raises(BudgetExceeded) as error:
        asked.generate(asks(9))
    assert sum(model.batches) == budget.spent.requests == sent
    for word in (*words, "'m'", "read_write"):
        assert word in str(error.value)
    before = sum(model.batches)
    with pytest.raises(BudgetExceeded):
        asked.generate(asks(1))
    assert sum(model.batches) == before


def test_what_surely_fits_goes_out_together_and_the_rest_as_room_is_left() -> None:
    model = Talker()
    # Each may take 10 and takes 5.
    asked, _ = limited(model, max_total_tokens=40)
    assert len(asked.generate(asks(7))) == 7
    assert model.batches[0] == 4
    assert sum(model.batches) == 7


def test_completions_before_the_limit_are_handed_over() -> None:
    asked, _ = limited(Talker(), max_requests=2)
    answers = asked.generate_each(asks(4))
    assert [index for index, _ in (next(answers), next(answers))] == [0, 1]
    with pytest.raises(BudgetExceeded):
        next(answers)


@given(
    limit=st.integers(1, 200),
    sizes=st.lists(st.integers(1, 6), max_size=6),
    writes=st.lists(st.integers(0, 6), min_size=40, max_size=40),
)
def test_no_sequence_of_batches_crosses_a_limit(
    limit: int, sizes: list[int], writes: list[int]
) -> None:
    model = Talker(writes)
    asked, budget = limited(model, max_total_tokens=limit)
    try:
        for size in sizes:
            asked.generate(asks(size))
        exceeded = False
    except BudgetExceeded:
        exceeded = True
    assert budget.spent.tokens <= limit
    assert exceeded == (budget.spent.requests < sum(sizes))
    if exceeded:
        assert budget.spent.tokens + 10 > limit, "the next one might have fitted"


def test_a_model_that_reports_nothing_is_charged_the_most_it_may_have_taken() -> None:
    asked, budget = limited(Talker(silent=True), max_total_tokens=35)
    with pytest.raises(BudgetExceeded):
        asked.generate(asks(9))
    assert budget.spent == Spending(requests=3, tokens=30, cost_usd=30.0)


def test_an_interrupted_batch_gives_its_reservations_back() -> None:
    class Interrupted(Talker):
        def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
            raise KeyboardInterrupt

    budget = Budget(BudgetLimits(max_total_tokens=10))
    with pytest.raises(KeyboardInterrupt):
        LimitedModel(Interrupted(), budget).generate(asks(1))
    assert len(LimitedModel(Talker(), budget).generate(asks(1))) == 1
    assert budget.spent.requests == 2, "it was sent"


def test_threads_that_share_a_budget_never_cross_it_and_use_all_of_it() -> None:
    budget = Budget(BudgetLimits(max_total_tokens=100))
    models = [Talker() for _ in range(4)]

    def work(model: Talker) -> None:
        asked = LimitedModel(model, budget)
        try:
            while True:
                asked.generate(asks(3))
        except BudgetExceeded:
            pass

    threads = [threading.Thread(target=work, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Each takes 5 and may take 10: as long as 10 are left, one more goes out.
    assert 90 < budget.spent.tokens <= 100


def test_a_request_waits_for_those_under_way_before_it_is_refused() -> None:
    budget = Budget(BudgetLimits(max_total_tokens=15))
    entered, finish = threading.Event(), threading.Event()

    class Slow(Talker):
        def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
            entered.set()
            finish.wait()
            return super().generate(requests)

    first = threading.Thread(target=LimitedModel(Slow(), budget).generate, args=(asks(1),))
    first.start()
    entered.wait()
    answers: list[Completion] = []

    def second() -> None:
        answers.extend(LimitedModel(Talker(), budget).generate(asks(1)))

    waiting = threading.Thread(target=second)
    waiting.start()
    finish.set()
    first.join()
    waiting.join()
    assert len(answers) == 1


def test_an_incremental_model_is_counted_as_it_goes() -> None:
    seen: list[int] = []
    budget = Budget()

    class Stepwise(Talker):
        def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
            for index, request in enumerate(requests):
                seen.append(budget.usage.requests)
                yield index, self._answer(request)

    LimitedModel(Stepwise(), budget).generate(asks(3))
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("name", ["max_requests", "max_total_tokens", "max_cost_usd"])
@pytest.mark.parametrize("value", [0, -1, "3", True, float("nan")])
def test_limits_are_checked(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        BudgetLimits(**{name: value})


def test_prices_are_per_million_tokens() -> None:
    price = Price(prompt_usd_per_million=0.5, completion_usd_per_million=2.0)
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=500_000, cached_tokens=900_000)
    assert price.cost_usd(usage) == pytest.approx(1.5)


def test_prices_come_from_the_user_then_from_what_runs_here_then_from_the_table() -> None:
    given_prices = read_prices({"openai:gpt-4o": [1, 2], "mine": (0.1, 0.2)})
    names = ["openai:gpt-4o", "openai:gpt-4o-mini", "bundled:0", "hf:some/model", "mine"]
    prices = find_prices(names, given_prices, objects=["mine"])
    assert prices["openai:gpt-4o"].completion_usd_per_million == 2
    assert prices["openai:gpt-4o-mini"] == KNOWN_PRICES["openai:gpt-4o-mini"]
    assert prices["bundled:0"].cost_usd(Usage(prompt_tokens=10**9)) == 0
    assert prices["mine"].prompt_usd_per_million == 0.1


@pytest.mark.parametrize("name", ["together:new/model", "openai:gpt-4o@http://127.0.0.1:1/v1"])
def test_a_price_that_is_not_known_is_an_error_that_shows_how_to_give_it(name: str) -> None:
    with pytest.raises(ModelError, match=r"prices=.*\[0\.2, 0\.6\]"):
        find_prices([name], {})


def test_an_object_has_the_price_that_its_user_gives_whatever_its_name() -> None:
    with pytest.raises(ModelError, match="bundled:0"):
        find_prices(["bundled:0"], {}, objects=["bundled:0"])


@pytest.mark.parametrize("pair", [[1], [1, -2], ["1", 2], "12", 3, [1, float("nan")], [True, 1]])
def test_prices_are_checked(pair: Any) -> None:
    with pytest.raises(ValueError, match="some/model"):
        read_prices({"some/model": pair})
