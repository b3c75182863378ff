"""The client as a whole: order, life and death."""

from __future__ import annotations

import copy
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from econ_env.llm.api import ApiModel, ApiSettings
from econ_env.llm.api.switching import MANY
from econ_env.llm.incremental import Incremental
from econ_env.llm.types import ChatModel, ModelError
from tests.econ_env.llm.api.support import (
    KEY,
    client_threads,
    eventually,
    model_on,
    open_sockets,
    request,
    settings,
)
from tests.misbehaving_server import Ask, MisbehavingServer


def echoed(ask: Ask) -> str:
    return f"{ask.messages[0]['content']} / {ask.seed}"


def test_it_is_a_chat_model_that_hands_completions_over_one_by_one() -> None:
    model = ApiModel("vllm:m@http://localhost:1/v1")
    assert isinstance(model, ChatModel)
    assert isinstance(model, Incremental)
    assert model.name == "vllm:m@http://localhost:1/v1"
    assert model.context_limit is None
    assert ApiModel(model.name, ApiSettings(context_limit=4096)).context_limit == 4096
    assert model.generate([]) == []


def test_completions_come_in_the_order_of_the_requests_whatever_happens_to_them() -> None:
    faults = {"500": 0.1, "reset": 0.1, "429_ms": 0.1, "null_content": 0.1, "400": 0.1}
    with MisbehavingServer("vllm", answer=echoed) as server:
        server.mix(faults, seed=3)
        model = model_on(server)
        requests = [request(f"question {i}", seed=i) for i in range(150)]
        completions = model.generate(requests)
        model.close()
    refused = [i for i, completion in enumerate(completions) if completion.error is not None]
    assert 0 < len(refused) < 50
    for i, completion in enumerate(completions):
        assert i in refused or completion.text == f"question {i} / {i}"


def test_completions_are_handed_over_as_soon_as_they_are_there() -> None:
    with MisbehavingServer(answer=echoed) as server:
        model = model_on(server, max_concurrency=1)
        server.schedule(None, None, "stall")
        answered = model.generate_each([request(str(i)) for i in range(3)])
        assert [next(answered)[0] for _ in range(2)] == [0, 1]
        answered.close()
        assert not client_threads()
        assert eventually(lambda: server.open_connections == 0)
        model.close()


def test_threads_may_share_a_model() -> None:
    with MisbehavingServer(answer=echoed, latency_s=0.002) as server:
        model = model_on(server, max_concurrency=8)

        def ask(number: int) -> list[str]:
            texts = [f"{number}.{i}" for i in range(20)]
            return [one.text for one in model.generate([request(text) for text in texts])]

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(ask, range(6)))
        model.close()
        assert server.peak_in_flight <= 8
    assert answers == [[f"{n}.{i} / 7" for i in range(20)] for n in range(6)]


def test_nothing_stays_after_closing() -> None:
    with MisbehavingServer() as server:
        before = open_sockets()
        model = model_on(server)
        model.generate([request(str(i)) for i in range(50)])
        assert client_threads()
        model.close()
        model.close()
        assert not client_threads()
        assert eventually(lambda: open_sockets() <= before)
    with pytest.raises(ModelError, match="was closed"):
        model.generate([request()])


@pytest.fixture
def _no_garbage_collection() -> Iterator[None]:
    """Nothing is closed only because the garbage collector comes along."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_garbage_collection")
def test_closing_ends_a_call_of_another_thread() -> None:
    with MisbehavingServer() as server:
        model = model_on(server, read_timeout_s=200.0, request_budget_s=200.0)
        model.generate([request(str(i)) for i in range(20)])
        server.schedule("stall")
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(model.generate, [request()])
            assert eventually(lambda: len(server.chats) == 21)
            model.close()
            with pytest.raises(ModelError, match="was closed while it was asked"):
                answer.result(timeout=60)
        assert not client_threads()
        assert eventually(lambda: server.open_connections == 0)


@pytest.fixture
def _ctrl_c_interrupts() -> Iterator[None]:
    """A process that was started in the background ignores Ctrl-C, and so would the test."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_no_garbage_collection", "_ctrl_c_interrupts")
@pytest.mark.parametrize("fault", ["stall", "drip", "503", None])
def test_ctrl_c_ends_everything_at_once(fault: str | None) -> None:
    with MisbehavingServer(latency_s=0.05) as server:
        server.mix({fault: 1.0} if fault else {})
        before = open_sockets()
        model = model_on(server, read_timeout_s=200.0, request_budget_s=200.0, backoff_base_s=0.05)

        def interrupt() -> None:
            eventually(lambda: len(server.chats) >= 8)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            model.generate([request(str(i)) for i in range(3000)])
        thread.join()
        assert not client_threads()
        assert eventually(lambda: open_sockets() <= before)
        server.mix({})
        assert model.generate([request()])[0].error is None, "it can be used again"
        model.close()


@pytest.mark.usefixtures("_no_garbage_collection", "_ctrl_c_interrupts")
def test_ctrl_c_ends_hundreds_of_requests_in_flight_and_leaves_no_thread() -> None:
    with MisbehavingServer() as server:
        server.mix({"stall": 1.0})
        before = open_sockets()
        model = model_on(server, max_concurrency=256, read_timeout_s=200.0, request_budget_s=200.0)

        def interrupt() -> None:
            eventually(lambda: server.in_flight == 256)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            model.generate([request(str(i)) for i in range(1000)])
        thread.join()
        assert not client_threads()
        assert eventually(lambda: open_sockets() <= before)
    assert server.peak_in_flight == 256


@pytest.mark.parametrize(("in_flight", "rare"), [(MANY - 1, False), (MANY, True)])
def test_threads_switch_rarely_while_very_many_requests_are_in_flight(
    in_flight: int, rare: bool
) -> None:
    usual_s = sys.getswitchinterval()
    meanwhile: set[bool] = set()

    def answer(ask: Ask) -> str:
        meanwhile.add(sys.getswitchinterval() > usual_s)
        return "18"

    with MisbehavingServer(answer=answer) as server:
        model = model_on(server, max_concurrency=in_flight)
        model.generate([request(str(i)) for i in range(MANY)])
        model.close()
    assert meanwhile == {rare}
    assert sys.getswitchinterval() == usual_s


def test_a_copy_in_another_place_reads_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer("vllm", key="sk-of-the-environment") as server:
        model = model_on(server)
        data = pickle.dumps(model)
        assert KEY.encode() not in data
        monkeypatch.setenv("VLLM_API_KEY", "sk-of-the-environment")
        monkeypatch.setenv("ECON_ALLOW_KEY_FOR", "127.0.0.1")
        for other in (pickle.loads(data), copy.copy(model), copy.deepcopy(model)):  # noqa: S301
            assert other.settings == model.settings
            assert other.generate([request()])[0].error is None
            other.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_makes_threads_and_connections_of_its_own() -> None:
    with MisbehavingServer(answer=echoed) as server:
        model = model_on(server)
        model.generate([request("parent")])
        child = os.fork()
        if child == 0:
            text = model.generate([request("child")])[0].text
            model.close()
            os._exit(0 if text == "child / 7" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert model.generate([request("parent")])[0].text == "parent / 7"
        model.close()


def test_an_offline_model_sends_nothing() -> None:
    model = ApiModel("together:m", ApiSettings(offline=True))
    with pytest.raises(ModelError, match="offline"):
        model.generate([request()])


def test_tokens_are_never_counted_too_low() -> None:
    model = ApiModel("vllm:m@http://localhost:1/v1")
    assert model.count_tokens("") == 0
    assert model.count_tokens("abc") == 3
    assert model.count_tokens("数") == 3
    assert model.count_tokens("\ud83d") == 1


def test_tokens_that_a_server_does_not_count_are_estimated_and_said_to_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with MisbehavingServer(answer=lambda ask: "x" * 30) as server:
        model = model_on(server)
        server.mix({"no_usage": 1.0})
        with caplog.at_level(logging.WARNING):
            usage = model.generate([request("y" * 9)])[0].usage
            model.generate([request(), request()])
        model.close()
    assert (usage.prompt_tokens, usage.completion_tokens) == (3, 10)
    assert [record.message for record in caplog.records] == [
        f"{model.name}: the server counts no tokens, so they are estimated from the length of "
        "the texts"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"second_action": "presence_penalty"},
        {"max_concurrency": 0},
        {"max_concurrency": 2.5},
        {"max_unusable_replies": 0},
        {"context_limit": 0},
        {"request_budget_s": 0},
        {"read_timeout_s": float("nan")},
        {"connect_timeout_s": float("inf")},
        {"backoff_base_s": -1},
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        settings(**changes)


def test_requests_is_loaded_when_something_is_sent() -> None:
    code = """
import sys
from econ_env.llm.api import ApiModel
ApiModel("vllm:m@http://localhost:1/v1")
assert not {"requests", "urllib3"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_batches_that_are_large_are_no_problem() -> None:
    with MisbehavingServer(answer=lambda ask: "ok", remembers=False) as server:
        model = model_on(server)
        completions = model.generate([request(str(i)) for i in range(800)])
        model.close()
    assert {completion.text for completion in completions} == {"ok"}
