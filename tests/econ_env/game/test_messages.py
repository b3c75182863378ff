"""Prompts stand in the transcript, each prompt of a round once."""

from __future__ import annotations

from typing import Any

from econ_env.game.transcript import RoundRecord, Transcript
from tests.scripted import CALM, Script, new_game, rewards

DISAGREE = ("7", "8", "9")


def played_round(**changes: Any) -> tuple[Script, Transcript, RoundRecord]:
    game = new_game(**changes)
    script = Script([DISAGREE], ["7"])
    script.play_round(game, CALM, CALM, CALM)
    game.settle(rewards())
    (played,) = game.transcript.rounds()
    return script, game.transcript, played


def test_every_call_keeps_the_messages_that_were_sent() -> None:
    script, transcript, played = played_round()
    strategy, *executors, commit = script.requests
    assert transcript.strategies[0].messages == strategy.messages
    assert played.commitments[-1].messages == commit.messages
    assert [played.messages_of(i) for i in range(3)] == [one.messages for one in executors]


def test_a_prompt_that_executors_share_is_kept_once() -> None:
    _, _, played = played_round()
    first, *others = (record.messages for record in played.executors)
    assert first
    assert others == [(), ()]


def test_executors_of_other_groups_have_prompts_of_their_own() -> None:
    game = new_game(n_agents=4, group_size=2)
    script = Script([("7", "8", "9", "9")], ["7"], local_value=lambda request: "7")
    script.play_round(game, CALM, CALM, CALM, CALM)
    (played,) = game.transcript.rounds()
    sent = [one.messages for one in script.requests if one.role == "execute"]
    assert [played.messages_of(i) for i in range(4)] == sent
    assert [len(commitment.messages) > 0 for commitment in played.commitments] == [True] * 3


def test_prompts_can_be_left_out() -> None:
    _, transcript, played = played_round(keep_messages=False)
    kept = [record.messages for record in transcript.strategies]
    kept += [record.messages for record in played.executors]
    kept += [record.messages for record in played.commitments]
    assert kept == [()] * 5
    assert played.messages_of(2) == ()


def test_a_transcript_of_an_earlier_version_is_read_without_messages() -> None:
    _, transcript, _ = played_round(keep_messages=False)
    data = transcript.to_json()
    for played in data["decisions"][0]["rounds"]:
        for record in [*played["executors"], *played["commitments"], *data["strategies"]]:
            record.pop("messages", None)
    assert Transcript.from_json(data) == transcript
