"""Requests that differ only in their seed travel as one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.llm.api.grouping import group_requests, shared_usage
from econ_env.llm.api.reply import Choice, Reply
from econ_env.llm.types import Usage
from tests.econ_env.llm.api.support import model_on, request
from tests.misbehaving_server import Ask, MisbehavingServer

REQUESTS = st.builds(
    request,
    st.sampled_from(["a", "b"]),
    seed=st.integers(0, 3),
    temperature=st.sampled_from([0.0, 0.7, 0.8]),
)


@given(st.lists(REQUESTS, max_size=30), st.integers(1, 5))
def test_groups_hold_every_request_once_and_only_what_may_travel_together(
    requests: list[Any], largest: int
) -> None:
    groups = group_requests(requests, largest)
    assert sorted(index for group in groups for index in group) == list(range(len(requests)))
    for group in groups:
        members = [requests[index] for index in group]
        assert len(group) <= largest
        assert list(group) == sorted(group)
        assert len({(m.messages, m.temperature) for m in members}) == 1
        assert len({m.seed for m in members}) == len(members)
        assert len(group) == 1 or members[0].temperature > 0
    assert groups == group_requests(requests, largest)


@given(
    st.lists(st.text(max_size=9), min_size=1, max_size=6),
    st.integers(0, 999),
    st.integers(0, 999),
)
def test_the_shares_of_a_group_add_up_to_what_the_server_counted(
    texts: list[str], prompt: int, written: int
) -> None:
    reply = Reply(
        choices=tuple([Choice(text=text, finish_reason="stop") for text in texts]),
        sent=len(texts),
        usage=Usage(prompt_tokens=prompt, completion_tokens=written),
    )
    assert sum(shared_usage(reply, ["ignored"]), Usage()) == reply.usage


def batch() -> list[Any]:
    """Three members of a group among others."""
    return [
        request("x", seed=5),
        request("group", seed=9),
        request("y", seed=5),
        request("group", seed=3),
        request("group", seed=4),
        request("group", seed=3, temperature=0.9),
    ]


def seeded(ask: Ask) -> str:
    return f"{ask.messages[0]['content']} at {ask.temperature} with {ask.seed}"


def test_a_group_is_one_request_with_the_first_seed_and_answers_keep_their_order() -> None:
    with MisbehavingServer("vllm", answer=seeded) as server:
        model = model_on(server)
        completions = model.generate(batch())
        model.close()
    assert [completion.text for completion in completions] == [
        "x at 0.7 with 5",
        "group at 0.7 with 9",
        "y at 0.7 with 5",
        "group at 0.7 with 10",
        "group at 0.7 with 11",
        "group at 0.9 with 3",
    ]
    assert sorted(seen.body.get("n", 1) for seen in server.chats) == [1, 1, 1, 3]
    assert sum(completion.usage.requests for completion in completions) == 4


@pytest.mark.parametrize("dialect", ["ollama", "llamacpp_python", "transformers"])
def test_a_server_without_n_is_asked_one_by_one(dialect: str) -> None:
    with MisbehavingServer(dialect, answer=seeded) as server:
        model = model_on(server)
        model.generate(batch())
        model.close()
    assert len(server.chats) == 6
    assert not any("n" in seen.body for seen in server.chats)


@pytest.mark.parametrize(
    ("fault", "asked"),
    [("missing_choice", [3, 1]), ("null_first_choice", [3, 1]), ("shuffled_choices", [3])],
)
def test_what_is_missing_of_a_group_is_asked_for_alone(fault: str, asked: list[int]) -> None:
    with MisbehavingServer("vllm", answer=seeded) as server:
        model = model_on(server)
        server.schedule(fault)
        group = [request("group", seed=seed) for seed in (9, 3, 4)]
        texts = [completion.text for completion in model.generate(group)]
        model.close()
    assert [seen.body.get("n", 1) for seen in server.chats] == asked
    wanted = {
        "missing_choice": ["9", "10", "4"],
        "null_first_choice": ["9", "10", "11"],
        "shuffled_choices": ["9", "10", "11"],
    }[fault]
    assert [text.split()[-1] for text in texts] == wanted


def test_a_server_that_counts_one_of_several_answers_is_asked_one_by_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """llama.cpp counts the first answer alone: a limit would let thrice as many tokens by."""
    words = "step by step " * 30
    with MisbehavingServer("vllm", answer=lambda ask: words) as server:
        model = model_on(server)
        server.schedule("one_choice_counted")
        group = [request("group", seed=seed) for seed in (9, 3, 4)]
        estimated = [completion.usage.completion_tokens for completion in model.generate(group)]
        counted = [completion.usage.completion_tokens for completion in model.generate(group)]
        model.close()
    assert [seen.body.get("n", 1) for seen in server.chats] == [3, 1, 1, 1]
    # Tokens are estimated once, from the length of the texts, and exact from then on.
    assert estimated == [len(words) // 3] * 3
    assert len(set(counted)) == 1
    assert "does not count the tokens of all answers" in caplog.text


@pytest.mark.parametrize("fault", ["one_choice", "400"])
def test_a_server_that_cannot_do_n_is_asked_one_by_one_from_then_on(fault: str) -> None:
    with MisbehavingServer("vllm", answer=seeded) as server:
        model = model_on(server)
        server.schedule(fault)
        group = [request("group", seed=seed) for seed in (9, 3, 4)]
        assert all(completion.error is None for completion in model.generate(group))
        before = len(server.chats)
        texts = [completion.text for completion in model.generate(group)]
        model.close()
    assert [text.split()[-1] for text in texts] == ["9", "3", "4"]
    assert not any("n" in seen.body for seen in server.chats[before:])


def test_a_group_that_meets_faults_is_tried_again_as_a_group() -> None:
    with MisbehavingServer("vllm", answer=seeded) as server:
        model = model_on(server)
        server.schedule("503", "reset", "html")
        group = [request("group", seed=seed) for seed in (9, 3, 4)]
        completions = model.generate(group)
        model.close()
    assert [completion.text.split()[-1] for completion in completions] == ["9", "10", "11"]
    assert [seen.body["n"] for seen in server.chats] == [3] * 4
    assert completions[0].usage.requests == 4
