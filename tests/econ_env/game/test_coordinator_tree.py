"""Groups of executors, coordinators above them, and prompts that do not grow with the team."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.game.coordinator_tree import build_tree, consensus, majority, same, stands
from econ_env.game.prompts import COMPACT, DEFAULT, PromptSet
from econ_env.grading.answers import equivalent as answers_equivalent
from econ_env.llm.types import ChatRequest
from tests.scripted import CALM, WILD, Script, completion, equivalent, new_game

answers = st.lists(st.none() | st.sampled_from(["7", "7.0", "8", "9"]), min_size=1, max_size=6)


def shape(n_agents: int, group_size: int | None) -> list[list[int]]:
    """Per level, the number of members of every coordinator."""
    levels = build_tree(n_agents, group_size).levels
    return [[len(node.members) for node in level] for level in levels]


@pytest.mark.parametrize(
    ("n_agents", "group_size", "expected"),
    [
        (3, None, [[3]]),
        (1, None, [[1]]),
        (50, None, [[50]]),
        (3, 3, [[3]]),
        (9, 3, [[3, 3, 3], [3]]),
        (27, 3, [[3] * 9, [3, 3, 3], [3]]),
        (4, 3, [[2, 2], [2]]),
        (10, 3, [[3, 3, 2, 2], [2, 2], [2]]),
        (5, 2, [[2, 2, 1], [2], [2]]),
    ],
)
def test_the_shape_of_the_tree(
    n_agents: int, group_size: int | None, expected: list[list[int]]
) -> None:
    assert shape(n_agents, group_size) == expected


@given(st.integers(1, 200), st.integers(2, 9))
def test_every_executor_and_coordinator_is_concluded_once_in_groups_that_are_small(
    n_agents: int, group_size: int
) -> None:
    tree = build_tree(n_agents, group_size)
    members = Counter(name for node in tree.nodes for name in node.members)
    everyone = {f"executor_{i}" for i in range(n_agents)} | {node.agent for node in tree.nodes}
    assert members == Counter(everyone - {"coordinator"})
    assert all(1 <= len(node.members) <= group_size for node in tree.nodes)
    assert all(len(node.members) >= 2 for node in tree.nodes if node.level > 0)
    assert [node.index for node in tree.nodes] == list(range(len(tree.nodes)))
    assert tree.nodes[-1].agent == "coordinator"
    for executor, group in enumerate(tree.group_of):
        assert f"executor_{executor}" in tree.groups[group].members
    sizes = [len(node.members) for node in tree.groups]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("n_agents", "group_size"), [(0, None), (3, 1), (3, 0), (3, -2)])
def test_impossible_groups_are_refused(n_agents: int, group_size: int | None) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        build_tree(n_agents, group_size)


# --- how answers become one ---------------------------------------------------------------------


@given(answers)
def test_a_consensus_is_an_answer_that_everybody_gave(given_answers: list[str | None]) -> None:
    agreed = consensus(given_answers, equivalent)
    expected = all(same(given_answers[0], answer, equivalent) for answer in given_answers)
    assert agreed == (given_answers[0] if expected else None)


@pytest.mark.parametrize("order", list(permutations(["50%", "50", "0.5"])))
def test_answers_that_agree_only_by_way_of_a_third_are_no_consensus(order: tuple[str, ...]) -> None:
    assert consensus(order, answers_equivalent) is None
    assert consensus(order[:1] * 3, answers_equivalent) == order[0]
    assert consensus(["50", "50%", "50.0"], answers_equivalent) == "50"


@given(answers)
def test_the_majority_has_most_votes_and_came_first_among_equals(
    given_answers: list[str | None],
) -> None:
    winner = majority(given_answers, equivalent)
    votes = [sum(same(a, b, equivalent) for b in given_answers) for a in given_answers]
    if max(votes) == 0:
        assert winner is None
    else:
        assert winner == given_answers[votes.index(max(votes))]


@given(st.none() | st.sampled_from(["7", "8.0", "5"]), answers)
def test_what_stands_was_given_by_a_member_unless_nobody_answered(
    value: str | None, given_answers: list[str | None]
) -> None:
    standing, novel = stands(value, given_answers, equivalent)
    if any(answer is not None for answer in given_answers):
        assert any(same(standing, answer, equivalent) for answer in given_answers)
    else:
        assert (standing, novel) == (value, False)
    assert novel == (value is not None and not same(value, standing, equivalent))


# --- the tree in play ---------------------------------------------------------------------------


def played(n_agents: int, **changes: Any) -> tuple[list[ChatRequest], Any]:
    """Every request of two rounds whose responses are long, and the game."""
    game = new_game(n_agents=n_agents, bne_rounds=2, **changes)
    script = Script(
        [[str(100 + i) for i in range(n_agents)]] * 2,
        ["100", "101"],
        strategy="add the apples of Anna",
        local_value=lambda request: str(1000 + len(script.requests)),
    )
    script.play_round(game, *[CALM] * n_agents)
    script.play_round(game, *[WILD] * n_agents)
    return script.requests, game


def longest(requests: list[ChatRequest]) -> dict[str, int]:
    """Per kind of call, the longest prompt in characters; local roles count as the global ones."""
    sizes: dict[str, int] = {}
    for request in requests:
        kind = request.role.removeprefix("local_")
        size = sum(len(message.content) for message in request.messages)
        sizes[kind] = max(size, sizes.get(kind, 0))
    return sizes


@pytest.mark.parametrize("prompts", [COMPACT, DEFAULT], ids=lambda prompts: str(prompts.name))
def test_no_prompt_of_27_executors_is_longer_than_one_of_3(prompts: PromptSet) -> None:
    flat, _ = played(3, prompts=prompts)
    grown, _ = played(27, group_size=3, prompts=prompts)
    flat_sizes = longest(flat)
    # A local strategy also shows the global one, and its own task: no other prompt does.
    with_strategy = sum(
        len(message.content) for message in prompts.local_strategy("q" * 80, "s" * 40, group=2)
    )
    flat_sizes["strategy"] = max(flat_sizes["strategy"], with_strategy)
    sizes = longest(grown)
    assert sizes.keys() == flat_sizes.keys()
    for kind, size in sizes.items():
        assert size <= flat_sizes[kind], kind


def test_27_executors_are_asked_and_concluded_level_by_level() -> None:
    requests, game = played(27, group_size=3)
    one_round = ["execute"] * 27 + ["local_commit"] * 12 + ["commit"]
    assert [r.role for r in requests] == ["strategy"] + ["local_strategy"] * 9 + one_round * 2
    assert len({request.seed for request in requests}) == len(requests)
    first, _ = game.transcript.rounds()
    assert [record.agent for record in first.commitments[-4:]] == [
        "coordinator_9",
        "coordinator_10",
        "coordinator_11",
        "coordinator",
    ]
    assert first.commitments[-1].members == ("coordinator_9", "coordinator_10", "coordinator_11")


def test_only_coordinators_of_groups_read_responses() -> None:
    requests, game = played(27, group_size=3)
    commits = [request.messages[0].content for request in requests if "commit" in request.role]
    first_round = commits[:13]
    for group, text in enumerate(first_round[:9]):
        for executor in range(27):
            assert (game.responses[executor] in text) == (executor // 3 == group)
    for text in first_round[9:]:
        assert not any(response in text for response in game.responses)
        assert text.count(r"\boxed{10") == 3  # the values of three local commitments


def test_groups_follow_their_own_strategies_and_the_root_the_global_one() -> None:
    game = new_game(n_agents=4, group_size=2)
    script = Script([["1", "2", "3", "4"]], ["1"], strategy="global plan")
    game.feed(script.complete(game.pending()))
    asked = game.pending()
    assert [request.role for request in asked] == ["local_strategy"] * 2
    assert all("plan: global plan" in request.messages[0].content for request in asked)
    game.feed([completion("left plan"), completion("right plan")])
    game.act([CALM] * 4)
    plans = [request.messages[0].content.splitlines()[1] for request in game.pending()]
    assert plans == ["plan: left plan"] * 2 + ["plan: right plan"] * 2
    script.answer_all(game)
    local_left, local_right, root = script.requests[-3:]
    assert "plan: left plan" in local_left.messages[0].content
    assert "plan: right plan" in local_right.messages[0].content
    assert "plan: global plan" in root.messages[0].content
    assert game.strategy == "global plan"


def test_groups_that_agree_need_no_call_but_the_teams_coordinator_may() -> None:
    game = new_game(n_agents=6, group_size=2, commitment_rule="guarded")
    script = Script([["7", "7", "8", "8", "9", "1"]], ["8"], local_value=lambda request: "9")
    script.play_round(game, *[CALM] * 6)
    roles = Counter(request.role for request in script.requests)
    # Groups 0 and 1 agree, group 2 does not; the three commitments then go 2 + 1 up the tree.
    assert roles["local_commit"] == 2
    assert roles["commit"] == 1
    assert game.transcript.parse_methods == {"consensus": 2, "json": 3}


def test_a_team_that_agrees_needs_no_commitment_at_all() -> None:
    game = new_game(n_agents=27, group_size=3, commitment_rule="guarded")
    script = Script(["7"], [])
    script.play_round(game, *[CALM] * 27)
    assert {request.role for request in script.requests} == {
        "strategy",
        "local_strategy",
        "execute",
    }
    assert game.commitment is not None
    assert (game.commitment.value, game.commitment.agent) == ("7", "coordinator")


def test_a_local_conclusion_without_a_value_is_passed_up_as_one() -> None:
    game = new_game(n_agents=4, group_size=2)
    script = Script([["1", "2", "3", "4"]], ["1"], local_value=lambda request: None)
    script.play_round(game, *[CALM] * 4)
    assert game.commitment is not None
    assert game.commitment.value == "1"
    assert "A1" not in script.requests[-1].messages[0].content
