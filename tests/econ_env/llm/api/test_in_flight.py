"""A client tells of its requests in flight."""

from __future__ import annotations

import threading

from econ_env.llm.in_flight import InFlight, in_flight_of
from tests.econ_env.llm.api.support import eventually, model_on, request
from tests.misbehaving_server import Ask, MisbehavingServer


def test_requests_on_their_way_those_that_wait_and_those_sent_again_are_told_apart() -> None:
    held = threading.Event()

    def late(ask: Ask) -> str:
        held.wait(20)
        return "7"

    with MisbehavingServer("vllm", answer=late) as server:
        server.schedule("502_html")
        patient = {"read_timeout_s": 60.0, "request_budget_s": 100.0}
        model = model_on(server, max_concurrency=2, **patient)
        assert in_flight_of(model) == InFlight()
        asking = threading.Thread(
            target=model.generate, args=([request(f"question {i}") for i in range(5)],)
        )
        asking.start()
        try:
            assert eventually(lambda: model.in_flight().retried == {"error 502": 1})
            assert eventually(lambda: model.in_flight().sent == 2)
            told = model.in_flight()
            assert (told.sent, told.waiting, told.retried) == (2, 3, {"error 502": 1})
            assert told.slowest_s > 0
        finally:
            held.set()
            asking.join()
        assert in_flight_of(model) == InFlight()
        model.close()


def test_a_request_without_an_answer_in_time_is_called_a_time_out() -> None:
    held = threading.Event()

    def late(ask: Ask) -> str:
        held.wait(20)
        return "7"

    with MisbehavingServer("vllm", answer=late) as server:
        server.schedule("stall")
        model = model_on(server, read_timeout_s=0.1)
        asking = threading.Thread(target=model.generate, args=([request()],))
        asking.start()
        try:
            assert eventually(lambda: model.in_flight().retried == {"time-out": 1})
            assert "1 retried (time-out)" in str(model.in_flight())
        finally:
            held.set()
            asking.join()
        model.close()
