"""The rules of the game, one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from econ_env.game.prompts import COMPACT, DEFAULT, PLAIN, CompactPrompts, TokenLimits
from econ_env.game.state_machine import Game, ModelLimits, Phase
from econ_env.game.transcript import Transcript
from econ_env.llm.types import ChatRequest, Completion, Usage
from econ_env.sampling_action import SamplingAction, SamplingBounds
from tests.scripted import (
    CALM,
    QUESTION,
    SPENT,
    WILD,
    Script,
    boxed,
    commitment,
    completion,
    config,
    new_game,
    rewards,
)

TEAM = (CALM, CALM, CALM)
OTHER = (WILD, CALM, CALM)
"""One executor deviates from TEAM."""
DISAGREE = ("7", "8", "9")


def test_an_episode_is_a_strategy_a_round_and_a_settlement() -> None:
    game = new_game()
    (asked,) = game.pending()
    assert (game.phase, asked.role, asked.max_tokens <= 50) == (Phase.STRATEGY, "strategy", True)
    game.feed([completion("add")])
    assert game.phase is Phase.EXECUTE
    assert game.awaiting_actions
    assert game.pending() == []
    game.act(TEAM)
    assert [request.role for request in game.pending()] == ["execute"] * 3
    assert not game.awaiting_actions
    game.feed([completion(boxed(answer)) for answer in DISAGREE])
    assert (game.phase, [r.role for r in game.pending()]) == (Phase.COMMIT, ["commit"])
    game.feed([completion(commitment("7"))])
    assert (game.phase, game.pending(), game.closed_by) == (Phase.SETTLE, [], "bne_rounds")
    game.settle(rewards())
    assert (game.done, game.phase, game.failed) == (True, Phase.DONE, None)
    assert game.pending() == []
    assert game.usage == Usage(prompt_tokens=50, completion_tokens=25, requests=5)


def test_what_was_played_can_be_read() -> None:
    game = new_game()
    Script([DISAGREE], ["8"]).play_round(game, *OTHER)
    assert game.strategy == "add"
    assert game.responses == tuple(map(boxed, DISAGREE))
    assert game.answers == DISAGREE
    assert game.actions == OTHER
    assert game.commitment is not None
    assert (game.commitment.value, game.commitment.confidence) == ("8", 0.5)
    assert (game.decision, game.round) == (0, 1)


def test_before_anything_was_played_there_is_nothing_to_read() -> None:
    game = new_game()
    assert (game.strategy, game.responses, game.answers) == ("", (), ())
    assert (game.commitment, game.actions, game.closed_by) == (None, None, None)


def test_executors_sample_as_they_decide_and_the_coordinator_is_greedy() -> None:
    game = new_game(bounds=SamplingBounds(top_p=0.8))
    script = Script([DISAGREE], ["7"])
    script.play_round(game, *OTHER)
    strategy, first, second, _, commit = script.requests
    assert (first.temperature, first.repetition_penalty, first.top_p) == (1.5, 1.2, 0.8)
    assert (second.temperature, second.repetition_penalty) == (0.5, 1.0)
    for asked in (strategy, commit):
        assert (asked.temperature, asked.repetition_penalty, asked.top_p) == (0.0, 1.0, 1.0)


def test_the_coordinators_sampling_is_a_setting() -> None:
    game = new_game(coordinator_temperature=0.3, coordinator_repetition_penalty=1.1)
    (asked,) = game.pending()
    assert (asked.temperature, asked.repetition_penalty) == (0.3, 1.1)


def test_every_executor_has_its_own_model_and_all_share_one_prompt() -> None:
    limits = {
        name: ModelLimits(context_limit=None, count_tokens=len) for name in ("a", "b", "c", "boss")
    }
    game = new_game(executor_models=("a", "b", "c"), coordinator_model="boss", limits=limits)
    script = Script([DISAGREE], ["7"])
    script.play_round(game, *TEAM)
    assert [request.model for request in script.requests] == ["boss", "a", "b", "c", "boss"]
    assert len({request.messages for request in script.requests[1:4]}) == 1


# --- how a decision closes ----------------------------------------------------------------------


def closing(answers: list[Any], values: list[str | None], *teams: Any, **changes: Any) -> Game:
    game = new_game(**({"bne_rounds": 5} | changes))
    script = Script(answers, values)
    for actions in teams:
        assert game.closed_by is None
        script.play_round(game, *actions)
    return game


def test_a_decision_closes_when_all_rounds_are_played() -> None:
    game = closing(["1"] * 3, ["1", "2", "3"], TEAM, OTHER, TEAM, bne_rounds=3)
    assert (game.closed_by, game.round, game.phase) == ("bne_rounds", 3, Phase.SETTLE)


def test_a_decision_closes_when_the_commitment_repeats() -> None:
    game = closing(["1"] * 2, ["7", "7.0"], TEAM, OTHER)
    assert (game.closed_by, game.round) == ("commitment_repeated", 2)


def test_a_decision_closes_when_commitments_oscillate() -> None:
    game = closing(["1"] * 3, ["7", "8", "7.0"], TEAM, OTHER, TEAM)
    assert (game.closed_by, game.round) == ("oscillation", 3)


def test_a_decision_closes_without_a_request_when_nobody_deviates() -> None:
    game = closing(["1"], ["7"], TEAM)
    before = game.usage
    game.act(TEAM)
    assert (game.closed_by, game.phase, game.pending()) == ("no_deviation", Phase.SETTLE, [])
    assert (game.usage, game.round) == (before, 1)
    assert game.commitment is not None
    assert game.commitment.value == "7"


def test_the_last_round_is_reported_before_a_repeated_commitment() -> None:
    assert closing(["1"] * 2, ["7", "7"], TEAM, OTHER, bne_rounds=2).closed_by == "bne_rounds"


@pytest.mark.parametrize(
    ("values", "period"),
    [
        (["7"], 0),
        (["7", "8"], 0),
        (["7", "7.0"], 1),
        (["7", "8", "7.0"], 2),
        (["7", "8", "9"], 0),
        ([None, None], 0),
    ],
)
def test_the_game_says_exactly_how_many_rounds_ago_a_value_was_committed(
    values: list[str | None], period: int
) -> None:
    teams = [TEAM, OTHER, TEAM][: len(values)]
    game = closing(["1"] * len(values), values, *teams, bne_rounds=len(values))
    assert game.closed_by == "bne_rounds"
    assert game.commitment_period == period


def test_no_value_equals_no_value() -> None:
    game = closing(["1"] * 3, [None, None, None], TEAM, OTHER, TEAM)
    assert game.closed_by is None
    assert game.awaiting_actions


@pytest.mark.parametrize(("step", "closed_by"), [(0.0099, "no_deviation"), (0.0101, None)])
@pytest.mark.parametrize("coordinate", [0, 1])
def test_deviation_is_measured_in_the_box(
    step: float, closed_by: str | None, coordinate: int
) -> None:
    bounds = SamplingBounds()
    game = new_game(bne_rounds=3)
    script = Script(["1"] * 2, ["7", "8"])
    script.play_round(game, *bounds.to_sampling([[0.2, 0.2]] * 3))
    points = [[0.2, 0.2] for _ in range(3)]
    points[2][coordinate] -= step
    game.act(bounds.to_sampling(points))
    assert game.closed_by == closed_by


def test_every_decision_plays_at_least_one_round_of_its_own() -> None:
    game = new_game(max_rounds=2, bne_rounds=2)
    script = Script(["1"] * 3, ["7", "7", "7"])
    script.play_round(game, *TEAM)
    script.play_round(game, *OTHER)
    game.settle(rewards())
    assert (game.decision, game.round, game.awaiting_actions) == (1, 0, True)
    script.play_round(game, *OTHER)
    # Neither the equal action nor the equal value of the first decision closes the second.
    assert (game.phase, game.round) == (Phase.EXECUTE, 1)
    game.act(OTHER)
    assert game.closed_by == "no_deviation"
    game.settle(rewards())
    assert (game.done, game.decision) == (True, 2)


def test_the_strategy_is_asked_for_once_and_the_standing_value_is_shown() -> None:
    game = new_game(max_rounds=2, bne_rounds=2)
    script = Script(["1"] * 3, ["17", "18", "19"])
    script.play_round(game, *TEAM)
    script.play_round(game, *OTHER)
    game.settle(rewards())
    script.play_round(game, *TEAM)
    asked = [request for request in script.requests if request.role == "execute"]
    shown = [request.messages[0].content.splitlines() for request in asked[::3]]
    assert shown[0] == [f"solve: {QUESTION.text}", "plan: add"]
    assert [lines[-1] for lines in shown[1:]] == ["last: 17", "last: 18"]
    assert sum(request.role == "strategy" for request in script.requests) == 1


# --- rule "guarded" -----------------------------------------------------------------------------


def guarded(answers: tuple[str | None, ...], value: str | None = "8") -> Game:
    game = new_game(n_agents=len(answers), commitment_rule="guarded")
    Script([answers], [value]).play_round(game, *[CALM] * len(answers))
    return game


def test_answers_that_all_agree_stand_without_a_call() -> None:
    game = guarded(("7", "7.0", "7"))
    record = game.commitment
    assert record is not None
    assert (record.value, record.parse_method, record.called) == ("7", "consensus", False)
    assert (record.confidence, record.usage, record.novel) == (1.0, Usage(), False)
    assert (game.usage.requests, game.phase) == (4, Phase.SETTLE)


def test_one_executor_always_agrees_with_itself() -> None:
    assert guarded(("7",)).usage.requests == 2


@pytest.mark.parametrize(
    ("answers", "value", "stands", "novel"),
    [
        (("7", "8", "9"), "8.0", "8.0", False),  # given by a member, as the coordinator wrote it
        (("7", "9", "9.0"), "5", "9", True),  # given by nobody: the majority
        (("7", "8", "9"), "5", "7", True),  # a tie: the first
        (("7", "9", "9"), None, "9", False),  # no value at all: the majority
        ((None, "9", "7"), "5", "9", True),  # who gave no answer does not vote
        ((None, None, None), "5", "5", False),  # no majority to fall back to
        ((None, None, None), None, None, False),
        (("7", "7", None), "7", "7", False),  # a missing answer is no agreement
    ],
)
def test_a_value_that_no_executor_gave_falls_back_to_the_majority(
    answers: tuple[str | None, ...], value: str | None, stands: str | None, novel: bool
) -> None:
    record = guarded(answers, value).commitment
    assert record is not None
    assert (record.value, record.novel, record.called) == (stands, novel, True)


@pytest.mark.parametrize("value", ["5", None])
def test_a_value_that_was_replaced_takes_its_reason_along(value: str | None) -> None:
    record = guarded(("8", "9", "9.0"), value).commitment
    assert record is not None
    assert (record.value, record.reason, record.confidence) == ("9", "3 + 4 = 9", None)
    assert record.text == commitment(value)


def test_a_value_that_stands_keeps_the_coordinators_reason() -> None:
    for record in (guarded(("8", "9", "9.0"), "9").commitment, guarded((None,), "5").commitment):
        assert record is not None
        assert (record.reason, record.confidence) == ("3 + 4", 0.5)


# --- rule "checked" -----------------------------------------------------------------------------

SOUND, FALSE = r"2 + 5 = 7 ; \boxed{7}", r"2 + 5 = 8 ; \boxed{8}"


def checked(*texts: str, reply: str = commitment("6"), cut: Sequence[int] = ()) -> Game:
    game = new_game(n_agents=len(texts), commitment_rule="checked")
    Script([], []).answer_all(game)
    game.act([CALM] * len(texts))
    game.feed(
        [
            replace(completion(text), finish_reason="length" if index in cut else "stop")
            for index, text in enumerate(texts)
        ]
    )
    if game.pending():
        game.feed([completion(reply)])
    return game


def test_a_sound_response_outvotes_those_with_false_equations() -> None:
    record = checked(FALSE, FALSE, SOUND).commitment
    assert record is not None
    assert (record.value, record.called, record.parse_method) == ("7", False, "majority")
    assert record.confidence == pytest.approx(1 / 3)
    assert record.checklist == {"agree": False}


def test_a_response_that_was_cut_off_does_not_count_beside_a_whole_one() -> None:
    other = r"2 + 4 = 6 ; \boxed{6}"
    record = checked(other, other, SOUND, cut=(0, 1)).commitment
    assert record is not None
    assert record.value == "7"


def test_a_divided_team_is_judged_by_the_coordinator_from_its_sound_responses() -> None:
    game = checked(FALSE, SOUND, r"2 + 4 = 6 ; \boxed{6}")
    assert game.commitment is not None
    assert (game.commitment.value, game.commitment.called) == ("6", True)
    (asked,) = [m.content for m in game.commitment.messages if SOUND in m.content]
    assert FALSE not in asked


def test_where_no_response_is_sound_all_of_them_count() -> None:
    record = checked(FALSE, FALSE, r"2 + 4 = 7 ; \boxed{7}").commitment
    assert record is not None
    assert (record.value, record.parse_method) == ("8", "majority")


def test_false_equations_are_kept_in_the_transcript_under_this_rule_alone() -> None:
    (played,) = checked(FALSE, SOUND).transcript.rounds()
    assert [record.false_equations for record in played.executors] == [("2+5 = 8",), ()]
    (played,) = guarded(("7",)).transcript.rounds()
    assert played.executors[0].false_equations == ()


# --- rule "casting_vote" ------------------------------------------------------------------------


def casting(*answers: str | None, own: str | None = None) -> Game:
    """Play executors with ``answers``, and a coordinator that answers ``own``, if it is asked."""
    game = new_game(n_agents=len(answers), commitment_rule="casting_vote")
    Script([], []).answer_all(game)
    game.act([CALM] * len(answers))
    game.feed([completion(boxed(answer)) for answer in answers])
    if game.pending():
        game.feed([completion(boxed(own))])
    return game


@pytest.mark.parametrize(
    ("answers", "own", "value"),
    [
        (("7", "8", "9"), "9", "9"),
        (("7", "8", "9"), "6", "6"),
        (("7", "7", "9"), "9", "9"),
        (("7", "7", "9"), "9.0", "9.0"),
        (("7", "7", "9"), "6", "7"),
        (("7", "7", "9"), None, "7"),
        (("7", None, None), "6", "6"),
        ((None, None), "6", "6"),
        ((None, None), None, None),
    ],
)
def test_the_coordinators_own_answer_is_one_vote_and_decides_between_equals(
    answers: tuple[str | None, ...], own: str | None, value: str | None
) -> None:
    record = casting(*answers, own=own).commitment
    assert record is not None
    assert (record.value, record.called) == (value, True)
    assert record.parse_method == "vote"
    assert (record.confidence is None) == (value is None)
    assert not record.novel


@pytest.mark.parametrize(
    ("answers", "method"),
    [
        (("7", "7", "7"), "consensus"),
        (("7", "7", None), "majority"),
        (("7", "9", "7", "7"), "majority"),
    ],
)
def test_a_coordinator_whose_vote_could_change_nothing_is_not_asked(
    answers: tuple[str | None, ...], method: str
) -> None:
    record = casting(*answers).commitment
    assert record is not None
    assert (record.value, record.called, record.parse_method) == ("7", False, method)


def test_a_coordinator_with_a_vote_reads_what_executors_read_and_no_response() -> None:
    game = casting("7", "8", "9", own="8")
    (played,) = game.transcript.rounds()
    assert game.commitment is not None
    assert game.commitment.messages == played.messages_of(0)
    assert game.commitment.confidence == pytest.approx(2 / 4)
    assert game.commitment.reason == "3 + 4 = 8"


def test_a_coordinator_with_a_vote_has_the_token_limit_of_executors() -> None:
    game = new_game(commitment_rule="casting_vote", prompts=DEFAULT)
    Script([], []).answer_all(game)
    game.act([CALM] * 3)
    game.feed([completion(boxed(answer)) for answer in "789"])
    (asked,) = game.pending()
    assert asked.max_tokens == DEFAULT.max_tokens.execute != DEFAULT.max_tokens.commit
    assert asked.schema is None


def test_an_outvoted_coordinator_gives_the_reason_of_the_member_that_won() -> None:
    record = casting("9", "7", "7", own="6").commitment
    assert record is not None
    assert (record.value, record.reason, record.text) == ("7", "3 + 4 = 7", boxed("6"))
    assert record.checklist == {"agree": False}


def test_by_default_the_coordinators_own_conclusion_stands() -> None:
    game = new_game()
    Script(["7"], ["5"]).play_round(game, *TEAM)
    assert game.commitment is not None
    assert (game.commitment.value, game.commitment.novel) == ("5", False)


# --- failure ------------------------------------------------------------------------------------


def test_a_failed_response_ends_the_episode_and_keeps_every_text() -> None:
    game = new_game()
    Script([], []).answer_all(game)
    game.act(TEAM)
    game.feed([completion(boxed("7")), Completion.failure("timed out", SPENT), completion("x")])
    assert (game.done, game.closed_by, game.pending()) == (True, "failed", [])
    assert game.failed is not None
    assert "executor_1" in game.failed
    assert "timed out" in game.failed
    (decision,) = game.transcript.decisions
    assert [record.text for record in decision.rounds[0].executors] == [boxed("7"), "", "x"]
    assert (decision.closed_by, decision.rewards) == ("failed", None)
    assert game.usage.requests == 4


def test_a_failed_strategy_ends_the_episode() -> None:
    game = new_game()
    game.feed([Completion.failure("no route")])
    assert (game.done, game.closed_by, game.awaiting_actions) == (True, "failed", False)
    assert game.transcript.strategies[0].error == "no route"


def test_a_failed_commitment_ends_the_episode_and_keeps_the_responses() -> None:
    game = new_game()
    Script([], []).answer_all(game)
    game.act(TEAM)
    game.feed([completion(boxed("7"))] * 3)
    game.feed([Completion.failure("overloaded")])
    assert (game.done, game.commitment) == (True, None)
    (played,) = game.transcript.rounds()
    assert (len(played.executors), played.commitments[0].error) == (3, "overloaded")


def test_running_into_the_token_limit_is_no_failure() -> None:
    game = new_game()
    game.feed([Completion(text="add and", finish_reason="length")])
    assert (game.failed, game.strategy) == (None, "add and")


# --- misuse -------------------------------------------------------------------------------------


def test_the_wrong_number_of_completions_changes_nothing() -> None:
    game = new_game()
    asked = game.pending()
    with pytest.raises(ValueError, match="1 requests are pending, but 2 completions were given"):
        game.feed([completion("a"), completion("b")])
    assert game.pending() == asked
    assert game.usage == Usage()


def test_calls_out_of_turn_are_refused() -> None:
    game = new_game()
    with pytest.raises(RuntimeError, match="no actions are awaited in phase 'strategy'"):
        game.act(TEAM)
    with pytest.raises(RuntimeError, match="no decision has closed"):
        game.settle(rewards())
    game.feed([completion("add")])
    with pytest.raises(RuntimeError, match="nothing is pending"):
        game.feed([])
    with pytest.raises(ValueError, match="3 executors need one action each, got 2"):
        game.act(TEAM[:2])
    assert game.awaiting_actions


def test_rewards_must_match_the_team() -> None:
    game = new_game()
    Script(["7"], ["7"]).play_round(game, *TEAM)
    with pytest.raises(ValueError, match="3 executors need one reward each, got 2"):
        game.settle(rewards(2))
    assert game.phase is Phase.SETTLE


def test_the_list_of_pending_requests_is_a_copy() -> None:
    game = new_game()
    game.pending().clear()
    assert len(game.pending()) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_agents": 0, "executor_models": ()}, "n_agents must be at least 1"),
        ({"bne_rounds": 0}, "bne_rounds must be at least 1"),
        ({"max_rounds": 0}, "max_rounds must be at least 1"),
        ({"group_size": 1}, "group_size must be at least 2"),
        ({"convergence_threshold": -0.1}, "convergence_threshold must be >= 0"),
        ({"convergence_threshold": float("nan")}, "convergence_threshold must be >= 0"),
        (
            {"commitment_rule": "vote"},
            "must be one of coordinator, guarded, majority, checked, casting_vote, got 'vote'",
        ),
        ({"commitment_rule": "casting_vote", "group_size": 2}, "for a team without groups"),
        ({"executor_models": ("m",)}, "3 executors, 1 models"),
        ({"coordinator_model": "x"}, "limits must have an entry for: x"),
        ({"coordinator_temperature": -1.0}, "coordinator_temperature"),
        ({"coordinator_repetition_penalty": 0.0}, "coordinator_repetition_penalty"),
        (
            {"prompts": CompactPrompts(max_tokens=TokenLimits(strategy=0, execute=9, commit=9))},
            "a strategy has at least 1 token",
        ),
    ],
)
def test_what_cannot_be_played_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)


# --- strategies and transcripts -----------------------------------------------------------------


def test_a_leaked_answer_is_cut_from_the_strategy_and_counted() -> None:
    game = new_game()
    script = Script([DISAGREE], ["7"], strategy=r"Add them. The answer is \boxed{7}.")
    script.play_round(game, *TEAM)
    assert game.strategy == "Add them."
    assert all("plan: Add them." in r.messages[0].content for r in script.requests[1:])
    assert game.transcript.leaks == 1
    assert game.transcript.strategies[0].text == r"Add them. The answer is \boxed{7}."


def test_tokens_for_a_thought_do_not_lengthen_the_strategy() -> None:
    plan = "<think>" + "hm " * 900 + "</think>" + "Count the bags first. " * 40
    allowing = replace(PLAIN, max_tokens=replace(PLAIN.max_tokens, strategy=2048))
    game = new_game(prompts=allowing)
    game.feed([completion(plan)])
    # Five words and signs each: ten sentences are 50.
    ten = ("Count the bags first. " * 10).strip()
    assert game.strategy == ten
    game = new_game(prompts=PLAIN)
    game.feed([completion("Count the bags first. " * 40)])
    assert game.strategy == ten, "a model that ignores 50 tokens is cut alike"


def test_text_that_no_tokenizer_can_encode_is_made_encodable() -> None:
    game = new_game()
    game.feed([completion("add \ud800")])
    game.act(TEAM)
    game.feed([completion("7 \udfff")] * 3)
    game.feed([completion(json.dumps({"reason": "\ud800", "value": "7\ud800"}))])
    json.dumps(game.transcript.to_json(), ensure_ascii=False).encode("utf-8")
    assert game.failed is None


def test_the_transcript_of_a_full_episode_survives_json() -> None:
    game = new_game(bne_rounds=2, max_rounds=2, n_agents=7, group_size=3)
    script = Script(["1"] * 4, ["7", "8", "9", "10"])
    for _ in range(2):
        script.play_round(game, *[CALM] * 7)
        script.play_round(game, *[WILD] * 7)
        game.settle(rewards(7))
    transcript = game.transcript
    assert game.done
    assert len(list(transcript.rounds())) == 4
    assert Transcript.from_json(json.loads(json.dumps(transcript.to_json()))) == transcript


def test_an_open_decision_is_in_the_transcript() -> None:
    game = new_game(bne_rounds=2)
    script = Script(["1"], ["7"])
    script.play_round(game, *TEAM)
    game.act(OTHER)
    game.feed(list(map(completion, "abc")))
    (decision,) = game.transcript.decisions
    assert (decision.closed_by, len(decision.rounds)) == (None, 2)
    assert decision.rounds[1].commitments == ()


# --- context limits -----------------------------------------------------------------------------


def test_a_long_response_is_shortened_at_its_head_and_recorded() -> None:
    limits = {"m": ModelLimits(context_limit=600, count_tokens=len)}
    game = new_game(limits=limits)
    game.feed([completion("add")])
    game.act(TEAM)
    game.feed([completion("blah " * 200 + boxed("7")), completion(boxed("8")), completion("x")])
    (asked,) = game.pending()
    question, plan, first, second, third = asked.messages[0].content.splitlines()
    assert (question, plan) == (f"commit: {QUESTION.text}", "plan: add")
    assert (second, third) == (f"A2: {boxed('8')}", "A3: x")
    assert first.endswith(r"\boxed{7}")
    assert len(asked.messages[0].content) + asked.max_tokens + 8 <= 600
    game.feed([completion(commitment("7"))])
    (cut,) = game.transcript.shortened
    assert (cut.agent, cut.role, cut.part) == ("coordinator", "commit", "responses")
    assert cut.tokens_before > 1000
    assert cut.tokens_after + asked.max_tokens <= 600
    assert game.transcript.decisions[0].rounds[0].shortened == (cut,)


def test_a_cut_is_recorded_in_its_own_round_only() -> None:
    limits = {"m": ModelLimits(context_limit=600, count_tokens=len)}
    game = new_game(limits=limits, bne_rounds=2)
    game.feed([completion("add")])
    for actions, length in ((TEAM, 1000), (OTHER, 1)):
        game.act(actions)
        game.feed([completion("x" * length)] * 3)
        game.feed([completion(commitment(str(length)))])
    first, second = game.transcript.rounds()
    assert (len(first.shortened), second.shortened) == (1, ())


def test_a_prompt_that_fits_into_no_context_fails_the_episode_and_names_the_model() -> None:
    limits = {"m": ModelLimits(context_limit=40, count_tokens=len)}
    game = new_game(limits=limits)
    assert (game.done, game.closed_by, game.pending()) == (True, "failed", [])
    assert game.failed is not None
    assert "model 'm'" in game.failed
    assert "context limit is 40 tokens" in game.failed


def test_only_the_models_that_need_it_get_a_shortened_prompt() -> None:
    room = COMPACT.max_tokens.execute + 74
    limits = {
        "long": ModelLimits(context_limit=None, count_tokens=len),
        "short": ModelLimits(context_limit=room, count_tokens=len),
    }
    game = new_game(
        n_agents=2, executor_models=("long", "short"), coordinator_model="long", limits=limits
    )
    game.feed([completion("first add " * 20)])
    game.act((CALM, CALM))
    long, short = game.pending()
    assert "first add first add" in long.messages[0].content
    assert len(short.messages[0].content) <= room - short.max_tokens - 8
    assert QUESTION.text in short.messages[0].content


def seeds(game: Game, script: Script) -> list[int]:
    script.play_round(game, *TEAM)
    return [request.seed for request in script.requests]


def test_other_episodes_and_other_environments_send_other_seeds() -> None:
    runs = [
        seeds(new_game(env_seed=env_seed, episode=episode), Script([DISAGREE], ["7"]))
        for env_seed, episode in [(0, 0), (0, 1), (1, 0)]
    ]
    together = [seed for run in runs for seed in run]
    assert len(set(together)) == len(together) == 15


def test_the_same_game_sends_the_same_bytes() -> None:
    def sent() -> list[ChatRequest]:
        script = Script([DISAGREE], ["7"])
        script.play_round(new_game(env_seed=5, episode=2), *OTHER)
        return script.requests

    first, second = sent(), sent()
    assert first == second
    assert json.dumps([r.to_json() for r in first]) == json.dumps([r.to_json() for r in second])


def test_an_action_beyond_the_bounds_is_passed_on_as_it_is() -> None:
    game = new_game(n_agents=1)
    game.feed([completion("add")])
    game.act([SamplingAction(temperature=0.0, repetition_penalty=1.0)])
    assert game.pending()[0].temperature == 0.0


# Strategies: cut off, or none


def strategy_of(text: str, **changes: Any) -> str:
    """The strategy of a game whose coordinator was cut off after ``text``."""
    game = new_game(**changes)
    game.feed([Completion(text=text, finish_reason="length")])
    return game.strategy


def test_a_strategy_in_sentences_loses_a_step_that_was_cut_off() -> None:
    assert strategy_of("Add both. Then subtr", prompts=PLAIN) == "Add both."
    assert strategy_of("Add both. Then subtr", prompts=DEFAULT) == "Add both."
    assert strategy_of("add ; subtr", prompts=COMPACT) == "add ; subtr"


def test_the_limit_of_a_strategy_holds_for_a_server_that_ignores_it() -> None:
    step = "Then think about what is asked and add the next two of them with care. "
    game = new_game(prompts=DEFAULT)
    game.feed([Completion(text=8 * step, finish_reason="stop")])
    assert len(game.strategy.split()) <= 50
    assert game.strategy == (3 * step).strip()
    assert game.transcript.strategies[0].text == 8 * step


@pytest.mark.parametrize("group_size", [None, 2])
def test_a_game_without_strategies_asks_the_executors_at_once(group_size: int | None) -> None:
    game = new_game(strategy=False, n_agents=4, group_size=group_size)
    assert game.awaiting_actions
    assert game.pending() == []
    game.act([CALM] * 4)
    assert {request.role for request in game.pending()} == {"execute"}
    assert "plan" not in game.pending()[0].messages[-1].content
    assert game.transcript.strategies == ()
