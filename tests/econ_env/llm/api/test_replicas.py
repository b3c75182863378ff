"""One model on several servers: shared evenly, and whole as long as one of them lives."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from econ_env.llm.api import ApiModel, WrongAddress
from econ_env.llm.api.connections import Flight
from econ_env.llm.api.errors import Fault, Kind
from econ_env.llm.api.replicas import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    MUCH_BUSIER,
    PROBE_S,
    SPARE,
    Replicas,
)
from econ_env.llm.api.settings import ReplicaRouting
from econ_env.llm.api.transport import Answer
from econ_env.llm.types import Completion
from tests.econ_env.llm.api.support import KEY, eventually, request, settings
from tests.misbehaving_server import Ask, MisbehavingServer

GOOD = Answer(status=200, headers={}, data=b"{}")
BROKEN = Fault(kind=Kind.UNAVAILABLE, words="the connection broke")
AWAY = Fault(kind=Kind.UNREACHABLE, words="refused")


class Server:
    """A transport that answers what the test says, and counts all but lists of models it gives."""

    def __init__(self, clock: Clock, result: Answer | Fault = GOOD) -> None:
        self.clock, self.result = clock, result
        self.asked = 0
        self.took_s = 0.0
        self.limits_s: list[float] = []
        """Longest waits for its list of models."""

    def post(self, body: bytes, flight: Flight, *, limit_s: float, largest: int) -> Answer | Fault:
        self.asked += 1
        self.clock.now_s += self.took_s
        return self.result

    def ask_for_models(self, flight: Flight, *, limit_s: float) -> Answer | Fault:
        self.limits_s.append(limit_s)
        if self.result == GOOD:
            return GOOD
        return self.post(b"", flight, limit_s=limit_s, largest=0)

    def close(self) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def several(
    *results: Answer | Fault, routing: ReplicaRouting = "least_busy"
) -> tuple[Replicas, list[Server], Clock]:
    clock = Clock()
    servers = [Server(clock, result) for result in results]
    named: Any = [(f"http://{index}/v1", server) for index, server in enumerate(servers)]
    return Replicas(named, routing, clock), servers, clock


def post(
    replicas: Replicas,
    *,
    prompt: str = "",
    limit_s: float = 60.0,
    flight: Flight | None = None,
) -> Answer | Fault:
    flight = flight or Flight(float("inf"), 60.0)
    return replicas.post(b"", flight, prompt=prompt, limit_s=limit_s, largest=1 << 20)


def asked(servers: Sequence[Server]) -> list[int]:
    return [server.asked for server in servers]


@pytest.mark.parametrize(
    "broken", [BROKEN, AWAY, *(Answer(status=s, headers={}, data=b"") for s in (502, 503, 504))]
)
def test_a_failing_replica_is_left_out_and_its_request_is_asked_elsewhere(
    broken: Answer | Fault,
) -> None:
    replicas, servers, _ = several(broken, GOOD)
    assert [post(replicas) for _ in range(5)] == [GOOD] * 5
    assert asked(servers) == [1, 5]


@pytest.mark.parametrize(
    "result",
    [
        *(Answer(status=s, headers={}, data=b"") for s in (400, 401, 404, 429, 500)),
        Fault(kind=Kind.UNUSABLE, words="too long"),
        Fault(kind=Kind.CERTIFICATE, words="not trusted"),
    ],
)
def test_what_the_request_or_the_settings_cause_is_no_failure_of_the_server(
    result: Answer | Fault,
) -> None:
    replicas, servers, _ = several(result, GOOD)
    assert [post(replicas) for _ in range(3)] == [result] * 3
    assert asked(servers) == [3, 0]


def test_a_replica_is_probed_by_one_request_and_taken_back() -> None:
    replicas, servers, clock = several(AWAY, GOOD)
    post(replicas)
    clock.now_s += FIRST_PAUSE_S * 0.9
    post(replicas)
    assert asked(servers) == [1, 2]
    clock.now_s += FIRST_PAUSE_S * 0.2
    post(replicas)
    post(replicas)
    assert asked(servers) == [2, 4]
    servers[0].result = GOOD
    clock.now_s += 2 * FIRST_PAUSE_S
    for _ in range(3):
        post(replicas)
    assert asked(servers) == [5, 4]


def test_a_probe_waits_for_a_list_of_models_and_no_longer_than_the_request_may() -> None:
    replicas, servers, clock = several(BROKEN, GOOD)
    post(replicas, limit_s=600.0)
    assert servers[0].limits_s == []
    for limit_s in (600.0, 2.0):
        clock.now_s += LONGEST_PAUSE_S
        assert post(replicas, limit_s=limit_s) == GOOD
    assert servers[0].limits_s == [PROBE_S, 2.0]
    assert servers[1].limits_s == []


def test_pauses_double_up_to_a_limit() -> None:
    replicas, servers, clock = several(AWAY, GOOD)
    pauses: list[float] = []
    last_s = clock.now_s
    post(replicas)
    for _ in range(400):
        clock.now_s += 0.5
        before = servers[0].asked
        post(replicas)
        if servers[0].asked > before:
            pauses.append(clock.now_s - last_s)
            last_s = clock.now_s
    assert pauses[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert set(pauses[5:]) == {LONGEST_PAUSE_S}


def test_while_none_is_left_the_failure_is_handed_back_and_one_is_still_asked() -> None:
    replicas, servers, _ = several(AWAY, BROKEN)
    assert post(replicas) == BROKEN
    assert asked(servers) == [1, 1]
    assert post(replicas) in (AWAY, BROKEN)
    assert sum(asked(servers)) == 3


def test_a_single_server_is_asked_as_ever() -> None:
    replicas, servers, _ = several(AWAY)
    assert [post(replicas) for _ in range(3)] == [AWAY] * 3
    assert asked(servers) == [3]


def test_no_other_replica_is_asked_once_the_budget_is_spent_or_the_request_is_given_up() -> None:
    replicas, servers, _ = several(BROKEN, GOOD)
    servers[0].took_s = 10.0
    assert post(replicas, limit_s=10.0) == BROKEN
    assert asked(servers) == [1, 0]
    replicas, servers, _ = several(BROKEN, GOOD)
    flight = Flight(float("inf"), 60.0)
    flight.abort()
    assert post(replicas, flight=flight) == BROKEN
    assert asked(servers) == [1, 0]


def test_a_request_that_was_given_up_says_nothing_about_its_server() -> None:
    given_up = Flight(float("inf"), 60.0)
    given_up.abort()
    replicas, servers, clock = several(BROKEN, GOOD)
    post(replicas, flight=given_up)
    post(replicas)
    assert asked(servers) == [2, 1]
    clock.now_s += FIRST_PAUSE_S
    post(replicas, flight=given_up)
    # The probe told nothing, so the next request probes again; then it is left out for longer.
    post(replicas)
    post(replicas)
    assert asked(servers) == [4, 3]


def test_an_answer_that_is_overdue_is_a_failure_of_its_server() -> None:
    overdue = Flight(99.0, 60.0)
    overdue.expire(100.0)
    replicas, servers, _ = several(BROKEN, GOOD)
    # The other replica is asked in what is left of its time.
    assert post(replicas, flight=overdue, limit_s=60.0) == GOOD
    assert (overdue.late, overdue.deadline_s) == (False, 160.0)
    assert post(replicas) == GOOD
    assert asked(servers) == [1, 2]


def test_many_requests_lost_with_one_server_are_one_failure() -> None:
    clock = Clock()
    together = threading.Barrier(9)

    class Dying(Server):
        def post(
            self, body: bytes, flight: Flight, *, limit_s: float, largest: int
        ) -> Answer | Fault:
            super().post(body, flight, limit_s=limit_s, largest=1 << 20)
            together.wait(20)
            return BROKEN

    dying, other = Dying(clock), Server(clock)
    named: Any = [("http://0/v1", dying), ("http://1/v1", other)]
    replicas: Any = Replicas(named, clock=clock)
    # So all eight requests go to the first server.
    replicas._replicas[1].in_flight = 100
    threads = [threading.Thread(target=post, args=(replicas,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    together.wait(20)
    for thread in threads:
        thread.join()
    assert (dying.asked, other.asked) == (8, 8)
    assert replicas._replicas[0].failures == 1
    assert replicas._replicas[0].in_flight == 0


def test_equal_prompts_go_to_one_replica_and_different_ones_to_all() -> None:
    prompts = [f"question {i}" for i in range(30)]
    replicas, servers, _ = several(GOOD, GOOD, GOOD, routing="prefix")
    homes = []
    for prompt in prompts:
        before = asked(servers)
        for _ in range(4):
            post(replicas, prompt=prompt)
        more = [now - then for now, then in zip(asked(servers), before, strict=True)]
        assert sorted(more) == [0, 0, 4]
        homes.append(more.index(4))
    assert min(homes.count(home) for home in range(3)) > 2


def test_a_prompt_keeps_to_its_own_replica_until_that_one_is_far_busier() -> None:
    chosen = []
    for busy in (SPARE - 1, SPARE, MUCH_BUSIER * 10 + SPARE - 1, MUCH_BUSIER * 10 + SPARE):
        replicas, servers, _ = several(GOOD, GOOD, routing="prefix")
        post(replicas, prompt="question")
        own = servers[0].asked == 0
        inside: Any = replicas
        inside._replicas[own].in_flight = busy
        inside._replicas[not own].in_flight = 0 if busy <= SPARE else 10
        post(replicas, prompt="question")
        chosen.append(servers[own].asked == 2)
    assert chosen == [True, False, True, False]


def test_prompts_of_a_lost_replica_go_to_the_others_and_come_back() -> None:
    prompts = [f"question {i}" for i in range(12)]
    replicas, servers, clock = several(GOOD, GOOD, GOOD, routing="prefix")

    def homes() -> list[int]:
        found = []
        for prompt in prompts:
            before = asked(servers)
            assert post(replicas, prompt=prompt) == GOOD
            found.append(next(i for i in (2, 1, 0) if asked(servers)[i] > before[i]))
        return found

    whole = homes()
    servers[0].result = AWAY
    post(replicas, prompt=prompts[whole.index(0)])
    without = homes()
    assert [home for home in without if home == 0] == []
    assert [new for new, old in zip(without, whole, strict=True) if old] == [*filter(None, whole)]
    servers[0].result = GOOD
    clock.now_s += FIRST_PAUSE_S
    # Any request is the probe, and none has a home while one is due.
    post(replicas)
    assert homes() == whole


# --- on real servers ------------------------------------------------------------------------------


def echoed(ask: Ask) -> str:
    return f"{ask.messages[0]['content']} / {ask.seed}"


def on(*servers: MisbehavingServer, **changes: Any) -> ApiModel:
    urls = ",".join(server.url for server in servers)
    return ApiModel(f"vllm:m@{urls}", settings(**changes), api_key=KEY)


def ask_all(model: ApiModel, count: int) -> list[Completion]:
    return model.generate([request(f"question {i}", seed=i) for i in range(count)])


def assert_all_right(completions: list[Completion]) -> None:
    assert [one.error for one in completions] == [None] * len(completions)
    assert [one.text for one in completions] == [
        f"question {i} / {i}" for i in range(len(completions))
    ]


def test_requests_go_to_the_replica_with_the_fewest_in_flight() -> None:
    everybody = threading.Barrier(12)

    def answer(ask: Ask) -> str:
        everybody.wait(60)
        return echoed(ask)

    with ExitStack() as stack:
        servers = [stack.enter_context(MisbehavingServer("vllm", answer=answer)) for _ in range(3)]
        model = on(*servers, read_timeout_s=60.0)
        assert_all_right(ask_all(model, 12))
        model.close()
    assert [len(server.chats) for server in servers] == [4, 4, 4]


def test_a_server_that_is_not_there_costs_nothing_and_is_taken_back_when_it_comes() -> None:
    with MisbehavingServer("vllm", answer=echoed) as live:
        with MisbehavingServer("vllm") as gone:
            port = gone.port
        model = on(gone, live)
        start_s = time.monotonic()
        first = ask_all(model, 20)
        assert_all_right(first)
        assert time.monotonic() - start_s < 5
        # The attempts without a connection are not counted: each request was answered once.
        assert sum(one.usage.requests for one in first) == 20
        with MisbehavingServer("vllm", answer=echoed, port=port) as back:

            def is_back() -> bool:
                assert_all_right(ask_all(model, 4))
                return bool(back.chats)

            assert eventually(is_back)
            before = len(back.chats)
            assert_all_right(ask_all(model, 20))
            assert len(back.chats) - before > 5
        model.close()


def prompts_of(server: MisbehavingServer) -> set[str]:
    return {seen.body["messages"][0]["content"] for seen in server.chats}


def test_executors_of_a_question_meet_on_one_replica_and_its_loss_changes_no_answer() -> None:
    # Three for each of twenty questions, at temperatures of their own.
    executors = [
        request(f"question {i % 20}", seed=i, temperature=0.5 + i // 20) for i in range(60)
    ]

    def answers(model: ApiModel) -> list[str]:
        completions = model.generate(executors)
        assert [one.error for one in completions] == [None] * 60
        assert sum(one.usage.requests for one in completions) == 60
        return [one.text for one in completions]

    with ExitStack() as stack:
        lost = stack.enter_context(MisbehavingServer("vllm", answer=echoed))
        kept = stack.enter_context(MisbehavingServer("vllm", answer=echoed))
        model = on(lost, kept, replica_routing="prefix", max_concurrency=4)
        whole = answers(model)
        homes = prompts_of(lost), prompts_of(kept)
        assert homes[0].isdisjoint(homes[1])
        assert min(map(len, homes)) > 0
        assert len(homes[0] | homes[1]) == 20
        lost.__exit__(None, None, None)
        before = len(kept.chats)
        assert answers(model) == whole
        assert len(kept.chats) - before == 60
        model.close()
        model = on(kept, replica_routing="least_busy")
        assert answers(model) == whole
        model.close()


@pytest.mark.parametrize("arrived", [1, 9, 30])
def test_a_server_that_is_killed_at_any_moment_loses_no_answer(arrived: int) -> None:
    with ExitStack() as stack:
        killed = MisbehavingServer("vllm", answer=echoed, latency_s=0.05)
        stack.enter_context(killed)
        live = stack.enter_context(MisbehavingServer("vllm", answer=echoed, latency_s=0.05))
        model = on(killed, live, max_concurrency=16)

        def kill() -> None:
            eventually(lambda: len(killed.chats) >= arrived)
            killed.__exit__(None, None, None)

        thread = threading.Thread(target=kill)
        thread.start()
        completions = ask_all(model, 80)
        thread.join()
        model.close()
    assert_all_right(completions)
    assert len(killed.chats) >= arrived
    # Some were sent twice, since an answer was lost; each is counted once.
    assert len(killed.chats) + len(live.chats) >= 80
    assert sum(one.usage.requests for one in completions) == 80


class Hanging:
    """A server that takes connections, reads the first line of each request, and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.asked: list[str] = []
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                with connection.makefile("rb") as lines:
                    self.asked.append(lines.readline().decode().strip())

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for connection in self._open:
            connection.close()


def test_a_server_that_never_answers_is_asked_for_its_models_before_it_gets_a_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("econ_env.llm.api.replicas.PROBE_S", 0.2)
    with ExitStack() as stack:
        hanging = Hanging()
        stack.callback(hanging.close)
        live = stack.enter_context(MisbehavingServer("vllm", answer=echoed, latency_s=0.4))
        model = ApiModel(
            f"vllm:m@{hanging.url},{live.url}", settings(read_timeout_s=1.0), api_key=KEY
        )
        first = ask_all(model, 4)
        chats = len(hanging.asked)
        assert set(hanging.asked) == {"POST /v1/chat/completions HTTP/1.1"}
        time.sleep(FIRST_PAUSE_S)
        second = ask_all(model, 4)
        model.close()
    assert hanging.asked[chats:] == ["GET /v1/models HTTP/1.1"]
    for completions in (first, second):
        assert_all_right(completions)
        assert [one.usage.requests for one in completions] == [1] * 4
    assert len(live.chats) == 8
    # The other one, which answers in time, is not taken for a failing one.
    assert {record.message.partition(" ")[0] for record in caplog.records} == {hanging.url}


def test_when_all_are_gone_it_says_which() -> None:
    with MisbehavingServer("vllm") as one, MisbehavingServer("vllm") as other:
        model = on(one, other, connect_timeout_s=0.2)
    with pytest.raises(WrongAddress, match="cannot be reached") as caught:
        ask_all(model, 2)
    assert one.url in str(caught.value)
    assert other.url in str(caught.value)
    model.close()
