"""Budgets hold on servers that answer badly, write too much or count wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from econ_env.llm.budget.limits import Budget, BudgetExceeded, BudgetLimits, LimitedModel
from econ_env.llm.types import Completion
from tests.econ_env.llm.api.support import model_on, request
from tests.misbehaving_server import Ask, MisbehavingServer

pytestmark = pytest.mark.slow

LIMIT = 2_000


def spent(server: MisbehavingServer, count: int, **settings: Any) -> tuple[int, list[Completion]]:
    """Counts of a run of ``count`` questions under the limit, and its completions."""
    model = model_on(server, **settings)
    budget = Budget(BudgetLimits(max_total_tokens=LIMIT))
    limited = LimitedModel(model, budget)
    got: list[Completion] = []
    try:
        for seed in range(count):
            got += limited.generate([request(seed=seed, max_tokens=32)])
    except BudgetExceeded:
        return budget.spent.tokens, got
    finally:
        model.close()
    raise AssertionError(f"{count} questions stayed within the limit")


def test_attempts_that_were_paid_for_count_and_end_at_the_limit() -> None:
    with MisbehavingServer(answer=lambda ask: "x" * 32) as server:
        server.mix({"null_content": 1.0})
        tokens, got = spent(server, 500, max_unusable_replies=50)
        reported = len(server.chats) * (len("What is 3 + 4?") + 32)
    assert tokens == reported <= LIMIT
    assert got
    assert all(completion.error is not None for completion in got)


def test_the_usage_of_a_retried_request_is_counted_once() -> None:
    with MisbehavingServer(answer=lambda ask: "x" * 32) as server:
        model = model_on(server)
        budget = Budget(BudgetLimits(max_total_tokens=LIMIT))
        server.schedule("null_content", "abort", "500", None)
        completion = LimitedModel(model, budget).generate([request(max_tokens=32)])[0]
        model.close()
    assert completion.error is None
    assert budget.usage == completion.usage
    assert budget.spent.tokens == completion.usage.total_tokens == 3 * (14 + 32)


def test_a_completion_longer_than_asked_stops_the_run_at_the_next_request() -> None:
    with MisbehavingServer(answer=lambda ask: "x" * 3_000) as server:
        tokens, got = spent(server, 50)
        assert len(server.chats) == 1
    assert tokens == 3_014
    assert len(got) == 1


def test_what_is_in_flight_is_broken_off_when_a_report_crosses_the_limit() -> None:
    def answer(ask: Ask) -> str:
        return "x" * 3_000

    with MisbehavingServer(answer=answer, latency_s=0.05) as server:
        model = model_on(server, max_concurrency=2)
        budget = Budget(BudgetLimits(max_total_tokens=LIMIT))
        limited = LimitedModel(model, budget)
        with pytest.raises(BudgetExceeded, match=r"is crossed: .* reports more than it was asked"):
            limited.generate([request(f"{seed}", seed=seed, max_tokens=32) for seed in range(30)])
        model.close()
        assert len(server.chats) <= 4
    assert budget.spent.tokens == 3_001


@pytest.mark.parametrize("count", [0, 1])
def test_a_server_that_counts_too_little_is_counted_by_its_texts(count: int) -> None:
    with MisbehavingServer(answer=lambda ask: "x" * 1_600) as server:
        good = server._completion

        def lying(body: Any) -> dict[str, Any]:
            said = good(body)
            said["usage"] = {"prompt_tokens": 1, "completion_tokens": count}
            return said

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "_completion", lying)
            tokens, got = spent(server, 500)
    assert len(got) == pytest.approx(LIMIT / 101, abs=1)
    assert tokens <= LIMIT + 101, "the last one is longer than asked"
