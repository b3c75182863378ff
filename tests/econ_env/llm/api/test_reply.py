"""Reading answers in all the forms that servers give them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.game.parsing import guard_strategy, parse_commitment
from econ_env.grading.extraction import extract
from econ_env.llm.api.errors import Fault, Kind
from econ_env.llm.api.reply import Choice, Reply, estimated_tokens, read_reply
from econ_env.llm.types import Usage


def body(message: Any = None, finish_reason: Any = "stop", **changes: Any) -> bytes:
    """A good body, unless changed."""
    message = {"role": "assistant", "content": "It is 7."} if message is None else message
    plain = {
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4},
    }
    return json.dumps(plain | changes).encode()


@pytest.mark.parametrize(
    "message",
    [
        {"content": "<think>48 / 6 is"},
        {"content": "", "reasoning_content": "48 / 6 is"},
        {"content": None, "reasoning": "48 / 6 is"},
        {"content": ""},
        {"content": None},
    ],
    ids=str,
)
def test_a_thought_that_the_limit_cut_off_is_no_answer(message: dict[str, Any]) -> None:
    choice = only(body(message, "length"))
    assert isinstance(choice, Choice)
    assert choice.thought == "cut"
    assert choice.finish_reason == "length"
    assert extract(choice.text) is None
    assert guard_strategy(choice.text) == ("", False)
    assert parse_commitment(choice.text).value is None


@pytest.mark.parametrize(
    "message", [{"content": "It is 7 bec"}, {"content": "<think>hm</think>It is 7 bec"}], ids=str
)
def test_an_answer_that_the_limit_cut_off_is_an_answer(message: dict[str, Any]) -> None:
    choice = only(body(message, "length"))
    assert isinstance(choice, Choice)
    assert choice.thought != "cut"
    assert choice.text == "It is 7 bec"


def only(data: bytes) -> Choice | Fault:
    """The one choice of a body."""
    reply = read_reply(data, choices=1, max_tokens=64, secret=None)
    assert isinstance(reply, Reply)
    return reply.choices[0]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "It is 7."}, "It is 7."),
        ({"content": ""}, ""),
        ({"content": "It is 7.", "reasoning_content": "hm"}, "It is 7."),
        ({"content": None, "reasoning_content": "so 7"}, "so 7"),
        ({"content": "", "reasoning": "so 7"}, "so 7"),
        ({"content": "<think>3 or 4?</think>\n\nIt is 7."}, "It is 7."),
        ({"content": "\n<think>\n</think>It is 7."}, "It is 7."),
        ({"content": "<think>so 7</think>\n"}, "<think>so 7</think>\n"),
        ({"content": "<think>cut off in the"}, "<think>cut off in the"),
        ({"content": "7 <think>no</think>"}, "7 <think>no</think>"),
        (
            {"content": [{"type": "text", "text": "It "}, {"type": "text", "text": "is 7."}]},
            "It is 7.",
        ),
        ({"content": "lone \ud83d surrogate"}, "lone ? surrogate"),
    ],
)
def test_the_text_is_what_the_model_said_without_thoughts_that_lead_to_it(
    message: dict[str, Any], text: str
) -> None:
    choice = only(body(message))
    assert isinstance(choice, Choice)
    assert choice.text == text


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        (None, "stop"),
        ("end_turn", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("something new", "stop"),
        (["odd"], "stop"),
    ],
)
def test_finish_reasons_mean_that_it_ended_or_was_cut(said: Any, meant: str) -> None:
    choice = only(body(finish_reason=said))
    assert isinstance(choice, Choice)
    assert choice.finish_reason == meant


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (body({"content": None}), Kind.UNUSABLE, "no content"),
        (body("text"), Kind.UNUSABLE, "no message"),
        (body(finish_reason="abort"), Kind.UNUSABLE, "abort"),
        (body(finish_reason="error"), Kind.UNUSABLE, "error"),
        (body(finish_reason="content_filter"), Kind.REFUSED, "withheld"),
        (body({"content": None, "refusal": "I cannot."}), Kind.REFUSED, "declines to answer: I c"),
    ],
)
def test_a_choice_without_an_answer_is_a_fault(data: bytes, kind: Kind, words: str) -> None:
    choice = only(data)
    assert isinstance(choice, Fault)
    assert choice.kind is kind
    assert words in choice.words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"<html><title>502</title></html>", "not JSON: '<html>"),
        (body()[:-5], "not JSON"),
        (b"null", "no choices: 'null'"),
        (b"[]", "no choices"),
        (b"7", "no choices"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (body(choices=[]), "no choices"),
        (body(choices=None), "no choices"),
        (body(choices={"0": 1}), "no choices"),
        (b'{"error": {"message": "the engine died"}}', "the engine died"),
        (b'{"error": "the engine died"}', "the engine died"),
        (b'{"object": "error", "message": "the engine died"}', "the engine died"),
    ],
)
def test_a_body_without_answers_is_a_fault_in_the_words_of_the_server(
    data: bytes, words: str
) -> None:
    fault = read_reply(data, choices=1, max_tokens=64, secret=None)
    assert isinstance(fault, Fault)
    assert fault.kind is Kind.UNUSABLE
    assert words in fault.words
    assert len(fault.words) < 700


FIELDS = (
    "choices message content index usage error finish_reason text prompt_tokens completion_tokens "
    "prompt_tokens_details object"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_body_breaks_the_reading(value: Any) -> None:
    for data in (
        value,
        {"choices": value},
        {"choices": [value]},
        {"choices": [{"message": value}]},
    ):
        outcome = read_reply(json.dumps(data).encode(), choices=2, max_tokens=64, secret=None)
        if isinstance(outcome, Reply):
            assert len(outcome.choices) == 2


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4}, Usage(prompt_tokens=9, completion_tokens=4)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 5},
            },
            Usage(prompt_tokens=9, completion_tokens=4, cached_tokens=5),
        ),
        (None, None),
        ({}, None),
        ({"prompt_tokens": "9", "completion_tokens": 4}, None),
        ({"prompt_tokens": -9, "completion_tokens": 4}, None),
        ({"prompt_tokens": True, "completion_tokens": 4}, None),
        ({"prompt_tokens": 9, "completion_tokens": 10**400}, None),
        ({"prompt_tokens": 9, "completion_tokens": float("nan")}, None),
    ],
)
def test_usage_is_what_the_server_counts_and_unknown_where_it_does_not(
    said: Any, usage: Usage | None
) -> None:
    reply = read_reply(body(usage=said), choices=1, max_tokens=64, secret=None)
    assert isinstance(reply, Reply)
    assert reply.usage == usage


def test_an_estimate_is_a_token_for_three_bytes() -> None:
    assert estimated_tokens([]) == 0
    assert estimated_tokens(["abcd", "", "ü"]) == 2 + 0 + 1
