"""The game takes in no text that is too long, cannot be stored, or gives orders to a terminal."""

from __future__ import annotations

import json

import pytest

from econ_env.game.intake import (
    MAX_ANSWER_CHARACTERS,
    MAX_ERROR_CHARACTERS,
    bounded_answer,
    taken_in,
)
from econ_env.grading import answers
from econ_env.llm.types import ChatRequest, Completion, Message
from econ_env.text import CHARACTERS_PER_TOKEN, SPARE_CHARACTERS

REQUEST = ChatRequest(
    messages=(Message(role="user", content="?"),),
    temperature=0.0,
    max_tokens=10,
    seed=0,
    model="m",
    role="execute",
)
LONGEST = SPARE_CHARACTERS + 10 * CHARACTERS_PER_TOKEN


def test_a_completion_is_cut_at_a_multiple_of_what_was_asked_for() -> None:
    whole = Completion(text="a" * LONGEST)
    assert taken_in(REQUEST, whole) == whole
    cut = taken_in(REQUEST, Completion(text="a" * LONGEST + "b" * 1_000_000))
    assert cut.text == "a" * LONGEST
    assert cut.finish_reason == "length"


def test_texts_can_be_stored() -> None:
    taken = taken_in(REQUEST, Completion(text="7\ud800", error="bad \udfff"))
    json.dumps([taken.text, taken.error], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "order", ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\x08", "\u202e", "\u2066"]
)
def test_an_error_gives_no_orders_to_a_terminal(order: str) -> None:
    taken = taken_in(REQUEST, Completion.failure(f"400: {order}no\nsuch\tfield"))
    assert taken.error is not None
    assert taken.error.endswith("no\nsuch\tfield")
    assert not set(taken.error) & set("\x1b\x9b\x07\r\x08\u202e\u2066")


def test_an_error_is_bounded() -> None:
    error = taken_in(REQUEST, Completion.failure("x" * 1_000_000)).error
    assert error is not None
    assert len(error) == MAX_ERROR_CHARACTERS


def test_an_answer_that_is_too_long_is_none() -> None:
    assert bounded_answer("7" * MAX_ANSWER_CHARACTERS) is not None
    assert bounded_answer("7" * (MAX_ANSWER_CHARACTERS + 1)) is None
    assert bounded_answer(None) is None


def test_an_answer_that_is_too_long_becomes_no_key_of_the_grader() -> None:
    before = answers._compared.cache_info().currsize
    for number in range(5):
        assert answers.grade_answer(f"{number}" * 1_000_000, "7").value == "unparseable"
    assert answers._compared.cache_info().currsize == before
