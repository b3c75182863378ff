"""Events of games, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from econ_pages.games import Game
from econ_pages.summary import players, summarise
from econ_pages.transcripts import read_game
from tests.econ_pages.plain_games import commitment, played, transcript

RIGHT = transcript(played("7", "7", "7", value="7"), scores=(1.0, 1.0, 1.0))
FAILED = transcript(played("7", "7", value="7"), failed="executor_0: time-out")
FLIPPED = transcript(
    played("7", "7", "7", value="7"), played("8", "8", "8", value="8"), scores=(0.0, 0.0, 0.0)
)
UNJUDGED = transcript(
    played("7", "7", value="7"), question={"id": "", "text": "?", "gold": "", "kind": ""}
)


def games(*transcripts: Any, arms: Sequence[str] = ()) -> list[Game]:
    arms = arms or [""] * len(transcripts)
    return [
        read_game(data, number=i, source="games.jsonl", where="games.jsonl", arm=arm)
        for i, (data, arm) in enumerate(zip(transcripts, arms, strict=True), 1)
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            [RIGHT, RIGHT, FLIPPED, FAILED],
            "The team answered 2 of 3 questions right (66.7%), for 50 tokens a question, in 1.33 "
            "rounds. Later rounds turned 0 wrong answers right and 1 right answer wrong. 1 failed "
            "and does not count.",
        ),
        ([FAILED], "No game was played to its end. 1 failed and does not count."),
        (
            [UNJUDGED],
            "The team answered 1 question, for 50 tokens a question, in 1 round. No answer is "
            "judged.",
        ),
    ],
)
def test_games_are_told_in_a_sentence(found: list[Any], said: str) -> None:
    assert summarise(games(*found)) == [said]


def test_each_arm_of_a_test_has_its_sentence() -> None:
    found = games(RIGHT, FLIPPED, arms=["one round", "refined"])
    head, one, refined = summarise(found)
    assert head == "2 games:"
    assert one.startswith("one round: The team answered 1 of 1 questions right (100.0%)")
    assert refined.startswith("refined: The team answered 0 of 1 questions right (0.0%)")


def test_many_files_have_one_sentence() -> None:
    arms = ["a", "b", "c", "d", "e"]
    (said,) = summarise(games(*[RIGHT] * 5, arms=arms))
    assert said.startswith("The team answered 5 of 5 questions right")


def test_players_are_named_once_and_only_those_that_were_asked() -> None:
    silent = played("7", "7", value="7", commitments=[commitment("7", called=False)])
    assert players(games(RIGHT, RIGHT)) == "executors m · coordinator m"
    assert players(games(transcript(silent))) == "executors m"
