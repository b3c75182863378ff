"""Every fault of a server, met over HTTP."""

from __future__ import annotations

import gzip
import pickle
import socket
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest

from econ_env.llm.api import (
    AccountExhausted,
    AlwaysRefuses,
    ApiError,
    ApiModel,
    KeyProblem,
    ServerBroken,
    UnknownModel,
    WrongAddress,
)
from econ_env.llm.api.batch import HOPELESS, RequestBatch
from econ_env.llm.api.reply import (
    estimated_tokens,
    read_reply,
)
from econ_env.llm.api.unpacking import CannotUnpack, unpacked
from econ_env.llm.types import Completion, ModelError
from econ_env.text import CHARACTERS_PER_TOKEN, SPARE_CHARACTERS
from tests.econ_env.llm.api.support import KEY, client_threads, model_on, request, settings
from tests.misbehaving_dialects import DIALECTS
from tests.misbehaving_faults import QUIRKS, REFUSED, RETRIED
from tests.misbehaving_server import MisbehavingServer

pytestmark = pytest.mark.slow

TIMED = {"read_timeout_s": 0.4}
WITH_USAGE = {"null_content", "abort", "empty_choices", "many_choices"}
"""Faults that cost tokens: the server has generated something."""


@pytest.fixture
def good() -> str:
    """Answer of a server that behaves."""
    with MisbehavingServer() as server:
        model = model_on(server)
        completion = model.generate([request()])[0]
        model.close()
    return completion.text


@pytest.mark.parametrize("fault", sorted(RETRIED))
def test_what_may_pass_is_tried_again_until_it_has(fault: str, good: str) -> None:
    with MisbehavingServer() as server:
        model = model_on(server, **TIMED)
        server.schedule(fault, fault)
        completion = model.generate([request()])[0]
        model.close()
    assert completion == Completion(text=good, usage=completion.usage)
    assert completion.usage.requests == 3
    assert [seen.fault for seen in server.chats] == [fault, fault, None]
    assert all(seen.body == server.chats[0].body for seen in server.chats)
    counted = 3 if fault in WITH_USAGE else 1
    assert completion.usage.completion_tokens == counted * len(good)


@pytest.mark.parametrize("fault", sorted(REFUSED))
def test_what_is_refused_fails_at_once_and_alone(fault: str, good: str) -> None:
    with MisbehavingServer() as server:
        model = model_on(server, max_concurrency=1)
        server.schedule(None, fault)
        first, second, third = model.generate([request(), request(), request()])
        model.close()
    assert [first.text, third.text] == [good, good]
    assert second.finish_reason == "error"
    assert second.text == ""
    assert second.usage.requests == 1
    assert second.error is not None
    assert second.error.startswith(f"openai:test-model@{server.url}: ")


def test_a_server_that_refuses_everything_in_the_same_words_is_not_asked_again() -> None:
    with MisbehavingServer() as server:
        model = model_on(server, max_concurrency=1)
        server.schedule(*["400"] * 50)
        with pytest.raises(AlwaysRefuses, match=r"8 in the same words.*not to my liking"):
            model.generate([request()] * 50)
        model.close()
        # One more may be on its way when the eighth refusal is read.
        assert len(server.chats) in (8, 9)


def test_a_server_that_has_answered_may_refuse_as_often_as_it_likes() -> None:
    with MisbehavingServer() as server:
        model = model_on(server, max_concurrency=1)
        server.schedule(None, *["400"] * 20)
        completions = model.generate([request()] * 21)
        model.close()
    assert [each.finish_reason == "error" for each in completions] == [False] + [True] * 20


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize(
    ("fault", "words"),
    [("400", "refused (400: this request is not to my liking)"), ("overflow", "context overflow")],
)
def test_a_refusal_has_the_words_of_the_server_in_every_dialect(
    dialect: str, fault: str, words: str
) -> None:
    with MisbehavingServer(dialect) as server:
        model = model_on(server)
        server.schedule(fault)
        error = model.generate([request()])[0].error
        model.close()
    assert error is not None
    assert words in error
    assert fault == "400" or DIALECTS[dialect].overflow in error


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("401", KeyProblem, "OPENAI_API_KEY.*Incorrect API key"),
        ("403", KeyProblem, "OPENAI_API_KEY.*You may not use this model"),
        ("402", AccountExhausted, "no credits left"),
        ("quota", AccountExhausted, "You exceeded your current quota"),
        ("404", UnknownModel, "'test-model'.*/models.*does not exist"),
        ("404_html", WrongAddress, 'ends in "/v1".*Not Found'),
    ],
)
def test_what_no_request_gets_past_is_raised_at_once(
    fault: str, kind: type[ApiError], words: str
) -> None:
    with MisbehavingServer(latency_s=0.02) as server:
        model = model_on(server, max_concurrency=4)
        server.schedule(None, None, fault)
        with pytest.raises(kind, match=words) as caught:
            model.generate([request(str(seed)) for seed in range(50)])
        assert len(server.chats) < 50
        assert not client_threads()
        model.close()
    assert issubclass(kind, ModelError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_an_unknown_model_is_recognised_in_every_dialect_that_checks_it(dialect: str) -> None:
    with MisbehavingServer(dialect, models=("another",)) as server:
        model = model_on(server)
        if DIALECTS[dialect].checks_model:
            with pytest.raises(UnknownModel):
                model.generate([request()])
        else:
            assert model.generate([request()])[0].error is None
        model.close()


def test_a_server_that_asks_for_a_key_says_which_variable_to_set() -> None:
    with MisbehavingServer("vllm", key=KEY) as server:
        name = f"vllm:m@{server.url}"
        without = ApiModel(name, settings())
        with pytest.raises(KeyProblem, match=r"needs a key: set .* VLLM_API_KEY"):
            without.generate([request()])
        wrong = ApiModel(name, settings(), api_key="sk-another-one")
        with pytest.raises(KeyProblem, match="does not accept the key"):
            wrong.generate([request()])
        right = ApiModel(name, settings(), api_key=KEY)
        assert right.generate([request()])[0].error is None
        for model in (without, wrong, right):
            model.close()


@pytest.mark.parametrize("fault", sorted(QUIRKS.keys() - {"say_key"}))
def test_odd_but_good_answers_are_answers(fault: str, good: str) -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        server.schedule(fault)
        completion = model.generate([request()])[0]
        model.close()
    assert completion.text == good
    assert completion.error is None
    assert completion.finish_reason == ("length" if fault == "length" else "stop")
    assert completion.usage.prompt_tokens > 0
    assert completion.usage.completion_tokens > 0


def test_answers_without_content_fail_a_request_after_a_few_and_not_the_model() -> None:
    with MisbehavingServer() as server:
        model = model_on(server, max_unusable_replies=3)
        server.schedule(*["null_content"] * 3)
        first, second = (model.generate([request()])[0] for _ in range(2))
        model.close()
    assert first.error is not None
    assert "3 answers were not usable" in first.error
    assert first.usage.requests == 3
    assert first.usage.completion_tokens > 0, "they were paid for"
    assert second.error is None


def test_a_request_fails_when_its_budget_is_spent() -> None:
    with MisbehavingServer() as server:
        model = model_on(server, request_budget_s=0.3, backoff_base_s=0.01, backoff_max_s=0.05)
        server.schedule(None)
        server.mix({"500": 1.0})
        _, completion = [model.generate([request()])[0] for _ in range(2)]
        model.close()
    assert completion.error is not None
    assert "no answer within 0.3 s" in completion.error
    assert "Internal server error" in completion.error
    assert completion.usage.requests == len(server.chats) - 1 > 2


def test_a_server_that_has_only_ever_broken_down_is_given_up_early() -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        server.mix({"500": 1.0})
        with pytest.raises(ServerBroken, match=r"nothing but errors.*Internal server error"):
            model.generate([request()])
        model.close()
        assert len(server.chats) == HOPELESS


def test_a_budget_that_ends_between_two_attempts_fails_the_request_and_not_the_run() -> None:
    with MisbehavingServer(latency_s=0.05) as server:
        # The group is asked for one by one when its budget is over already.
        model = model_on(server, request_budget_s=0.04, read_timeout_s=5.0)
        server.schedule("null_first_choice")
        asked = [request(seed=seed) for seed in range(2)]
        completions = model.generate(asked)
        assert any(completion.error is not None for completion in completions)
        for each in completions:
            assert each.error is None or "no answer within 0.04 s" in each.error
        model.close()


def test_no_attempt_begins_after_the_budget_has_ended() -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        batch = RequestBatch(model._running(), [request()])
        batch._start((0,), -0.0098)
        position, completion = batch._wait()
        model.close()
        assert not server.chats
    assert position == 0
    assert completion.error is not None
    assert "no answer within 20 s" in completion.error


def test_a_broken_protocol_is_named_and_ends_after_a_few_attempts() -> None:
    with MisbehavingServer() as server:
        model = model_on(server, max_unusable_replies=3)
        server.mix({"negative_chunk": 1.0})
        error = model.generate([request()])[0].error
        model.close()
        assert len(server.chats) == 3
    assert error is not None
    assert "the answer breaks the protocol" in error


def test_whatever_reading_raises_is_a_fault_of_that_request_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(data: bytes, **rest: Any) -> Any:
        if b"What is 3" in data:
            raise OverflowError(f"too large, and {KEY}")
        return read_reply(data, **rest)

    monkeypatch.setattr("econ_env.llm.api.engine.read_reply", read)
    with MisbehavingServer(answer=lambda ask: ask.messages[0]["content"]) as server:
        model = model_on(server)
        bad, fine = model.generate([request(), request("Hello")])
        model.close()
    assert bad.error is not None
    assert "cannot be read (OverflowError: too large, and [key])" in bad.error
    assert fine.text == "Hello"


def test_no_more_is_unpacked_than_is_read() -> None:
    assert len(unpacked(gzip.compress(bytes(10**7)), "gzip", 1_000)) == 1_001
    assert unpacked(zlib.compress(b"seven"), "deflate", 1_000) == b"seven"
    for data, encoding in ((b"seven", "gzip"), (b"seven", "br")):
        with pytest.raises(CannotUnpack):
            unpacked(data, encoding, 1_000)


@pytest.mark.parametrize("fault", ["huge_count", "negative_count", "nan_count", "true_count"])
def test_a_count_that_is_none_is_estimated_instead(fault: str, good: str) -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        server.schedule(fault)
        completion = model.generate([request()])[0]
        model.close()
    assert completion.text == good
    assert completion.usage.completion_tokens == estimated_tokens([good])


def test_an_error_text_can_be_printed_and_stored() -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        server.schedule("rude_400")
        error = model.generate([request()])[0].error
        model.close()
    assert error is not None
    assert error.isprintable()
    assert error.encode()
    assert "refused (400: ?[2J? half a ? pair" in error
    assert len(error) < 700


def test_a_completion_is_cut_at_a_multiple_of_what_was_asked_for() -> None:
    with MisbehavingServer(answer=lambda ask: "word " * 50_000) as server:
        model = model_on(server)
        completion = model.generate([request(max_tokens=10)])[0]
        model.close()
    assert len(completion.text) == SPARE_CHARACTERS + 10 * CHARACTERS_PER_TOKEN
    assert completion.finish_reason == "length"


@pytest.mark.parametrize("fault", ["refusal", "content_filter"])
def test_a_refusal_costs_one_attempt_and_is_reported_as_one(fault: str) -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        server.schedule(fault)
        alone = model.generate([request()])[0]
        assert len(server.chats) == 1
        server.schedule(fault)
        together = model.generate([request(seed=seed) for seed in range(3)])
        model.close()
        assert len(server.chats) == 2
    words = {"refusal": "declines to answer: I cannot help", "content_filter": "was withheld"}
    for completion in (alone, *together):
        assert completion.error is not None
        assert words[fault] in completion.error


def test_a_server_that_cuts_prompts_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        model.generate([request("word " * 900)])
        assert "cut the prompt" not in caplog.text
        server.schedule("cut_prompt", "cut_prompt")
        model.generate([request("word " * 900), request("word " * 901)])
        model.close()
    assert caplog.text.count("it has probably cut the prompt") == 1
    assert "counts 256 tokens in a prompt of 45" in caplog.text


def test_a_wait_beyond_the_budget_is_not_begun() -> None:
    with MisbehavingServer(wait_s=3600) as server:
        model = model_on(server)
        server.schedule("429_seconds")
        completion = model.generate([request()])[0]
        model.close()
    assert completion.error is not None
    assert "asks to wait 3.6e+03 s" in completion.error
    assert len(server.chats) == 1


def test_nobody_at_the_address_is_said_after_a_short_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    model = ApiModel(f"openai:m@http://127.0.0.1:{port}/v1", settings(connect_timeout_s=0.2))
    with pytest.raises(WrongAddress, match=f"{port}/v1 cannot be reached: is the server running"):
        model.generate([request()])
    model.close()


def test_a_name_that_no_server_has_is_said_too() -> None:
    model = ApiModel("openai:m@http://[::1]:9/v1", settings(request_budget_s=0.1))
    with pytest.raises(WrongAddress, match="cannot be reached"):
        model.generate([request()])
    model.close()


@contextmanager
def silent_port() -> Iterator[int]:
    """A port at which a connection is never taken: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port
        for filler in fillers:
            filler.close()


def test_a_connection_that_is_never_taken_times_out() -> None:
    with silent_port() as port:
        quick = settings(connect_timeout_s=0.2, request_budget_s=5.0)
        model = ApiModel(f"openai:m@http://127.0.0.1:{port}/v1", quick)
        with pytest.raises(WrongAddress, match="cannot be reached"):
            model.generate([request()])
        model.close()


def test_a_server_that_goes_away_for_a_moment_costs_no_request(good: str) -> None:
    with MisbehavingServer() as server:
        model = model_on(server)
        assert model.generate([request()])[0].text == good
    with ThreadPoolExecutor() as pool:
        answered = pool.submit(model.generate, [request()])
        assert not wait([answered], timeout=0.2).done
        with MisbehavingServer(port=server.port):
            assert answered.result()[0].text == good
    model.close()
