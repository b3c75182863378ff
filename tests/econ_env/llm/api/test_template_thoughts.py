"""Models whose chat template begins the thought: its opening tag is in no reply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from econ_env.game.parsing import guard_strategy, parse_commitment
from econ_env.grading.answers import extract
from tests.econ_env.llm.api.support import model_on, request
from tests.misbehaving_server import MisbehavingServer

THOUGHT = "There are 48 rolls. The value may be 9, so the answer is 9."
ANSWER = "The answer is 7."
ROOM = 600
"""Token limit that the thought and the answer fit into."""


class TemplateThinker(MisbehavingServer):
    """A server of a model that goes on with a thought that its template has begun."""

    def _completion(self, body: Any) -> dict[str, Any]:
        said = super()._completion(body)
        for choice in said["choices"]:
            whole = body["max_tokens"] >= ROOM
            choice["message"]["content"] = f"{THOUGHT}\n</think>\n\n{ANSWER}" if whole else THOUGHT
            choice["finish_reason"] = "stop" if whole else "length"
        return said


@pytest.fixture
def server() -> Iterator[TemplateThinker]:
    with TemplateThinker("vllm") as running:
        yield running


def test_a_thought_without_an_opening_tag_is_left_out_of_an_answer(server: TemplateThinker) -> None:
    with closing(model_on(server)) as model:
        (completion,) = model.generate([request(max_tokens=ROOM)])
    assert completion.text == ANSWER


def test_once_a_reply_has_ended_such_a_thought_a_cut_one_is_neither_plan_nor_value(
    server: TemplateThinker,
) -> None:
    with closing(model_on(server)) as model:
        model.generate([request(max_tokens=ROOM)])
        (cut,) = model.generate([request(max_tokens=50)])
    assert cut.text == f"<think>{THOUGHT}"
    assert extract(cut.text) is None
    assert guard_strategy(cut.text) == ("", False)
    assert parse_commitment(cut.text).value is None


def test_cut_answers_of_models_that_begin_no_thought_stay_answers() -> None:
    with MisbehavingServer(answer=lambda ask: ANSWER) as server, closing(model_on(server)) as model:
        server.schedule("length")
        (completion,) = model.generate([request()])
    assert completion.text == ANSWER
