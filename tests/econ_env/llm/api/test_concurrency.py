"""The number of requests in flight follows the server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from econ_env.llm.api.concurrency import AdaptiveLimit
from econ_env.llm.types import ModelError
from tests.econ_env.llm.api.support import eventually, model_on, request
from tests.misbehaving_server import MisbehavingServer


def go(limit: AdaptiveLimit, count: int, *, throttled: bool = False, answered: bool = True) -> None:
    """``count`` requests one after the other."""
    for _ in range(count):
        ticket = limit.enter(threading.Event())
        assert ticket is not None
        limit.leave(ticket, throttled=throttled, answered=answered)


def together(limit: AdaptiveLimit, *throttled: bool) -> None:
    """Requests that are in flight at the same time."""
    tickets = [limit.enter(threading.Event()) for _ in throttled]
    for ticket, hit in zip(tickets, throttled, strict=True):
        assert ticket is not None
        limit.leave(ticket, throttled=hit, answered=not hit)


def test_without_throttling_the_limit_doubles_in_a_round_up_to_the_largest() -> None:
    limit = AdaptiveLimit(largest=20, initial=4)
    go(limit, 4)
    assert limit.limit == 8
    go(limit, 100)
    assert limit.limit == 20


def test_throttling_halves_the_limit_once_for_all_that_was_in_flight() -> None:
    limit = AdaptiveLimit(largest=64, initial=64)
    together(limit, *[True] * 40)
    assert limit.limit == 32
    together(limit, True)
    assert limit.limit == 16


def test_after_throttling_the_limit_rises_by_one_in_a_round() -> None:
    limit = AdaptiveLimit(largest=64, initial=64)
    together(limit, True)
    go(limit, 33)
    assert limit.limit == 33
    go(limit, 34)
    assert limit.limit == 34


def test_faults_of_other_kinds_change_nothing() -> None:
    limit = AdaptiveLimit(largest=64, initial=16)
    go(limit, 50, answered=False)
    assert limit.limit == 16


@given(st.lists(st.booleans(), max_size=200))
def test_the_limit_stays_between_one_and_the_largest(history: list[bool]) -> None:
    limit = AdaptiveLimit(largest=8, initial=8)
    for throttled in history:
        go(limit, 1, throttled=throttled, answered=not throttled)
        assert 1 <= limit.limit <= 8


def test_whoever_is_given_up_waits_no_longer() -> None:
    limit = AdaptiveLimit(largest=1, initial=1)
    given_up = threading.Event()
    limit.enter(given_up)
    tickets: list[int | None] = []
    waiting = threading.Thread(target=lambda: tickets.append(limit.enter(given_up)))
    waiting.start()
    given_up.set()
    limit.wake()
    waiting.join(timeout=20)
    assert tickets == [None]


def test_a_client_never_has_more_in_flight_than_it_may() -> None:
    with MisbehavingServer(latency_s=0.02) as server:
        model = model_on(server, max_concurrency=5)
        model.generate([request(seed=seed, text=str(seed)) for seed in range(40)])
        model.close()
        assert server.peak_in_flight <= 5


def test_a_client_finds_the_capacity_of_a_server_and_loses_nothing() -> None:
    with MisbehavingServer(latency_s=0.04, capacity=4) as server:
        model = model_on(server, max_concurrency=32)
        completions = model.generate([request(str(seed), seed=seed) for seed in range(100)])
        assert all(completion.error is None for completion in completions)
        first, last = server.chats[:40], server.chats[-40:]
        model.close()
    throttled = [sum(seen.fault == "429" for seen in part) for part in (first, last)]
    assert throttled[0] > throttled[1]


def test_a_client_that_was_throttled_sends_less_at_a_time() -> None:
    with MisbehavingServer(latency_s=0.3) as server:
        model = model_on(server, max_concurrency=64)
        server.schedule(*["429", "503", "529"] * 2)
        model.generate([request()])
        server.peak_in_flight = 0
        model.generate([request(str(i)) for i in range(12)])
        model.close()
        assert server.peak_in_flight <= 6, "six cuts leave one, and a round of successes adds one"


def test_a_server_that_wants_it_is_approached_step_by_step() -> None:
    with MisbehavingServer("together") as server:
        server.mix({"stall": 1.0})
        model = model_on(server, max_concurrency=64, read_timeout_s=200.0, request_budget_s=200.0)
        with ThreadPoolExecutor(1) as pool:
            answers = pool.submit(model.generate, [request(str(i)) for i in range(64)])
            assert eventually(lambda: server.in_flight == 16)
            model.close()
            assert isinstance(answers.exception(), ModelError)
        assert server.peak_in_flight == 16


def test_connections_are_used_again() -> None:
    with MisbehavingServer() as server:
        model = model_on(server, max_concurrency=4)
        for _ in range(5):
            model.generate([request(str(seed)) for seed in range(8)])
        model.close()
        assert len(server.chats) == 40
        assert server.connections <= 4
