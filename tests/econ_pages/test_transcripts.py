"""Games as they are read from transcripts."""

from __future__ import annotations

from typing import Any

import pytest

from econ_env.game.transcript import Transcript
from econ_pages.errors import PageError
from econ_pages.games import Game, Tokens
from econ_pages.transcripts import Judge, read_game
from tests.econ_pages.plain_games import commitment, played, response, strategy, transcript


def read(data: Any, judge: Judge | None = None) -> Game:
    return read_game(data, number=1, source="games.jsonl", where="games.jsonl:1", judge=judge)


def test_the_plain_games_of_these_tests_are_what_the_environment_writes() -> None:
    plain = transcript(played("7", "8", value="7"))
    assert Transcript.from_json(plain).to_json() == plain


def test_a_game_holds_what_was_asked_answered_and_spent() -> None:
    game = read(transcript(played("7", "8", value="7")))
    assert (game.question, game.gold, game.answer) == ("What is 3 + 4?", "7", "7")
    assert game.correct is True
    assert game.reward == pytest.approx(0.8)
    assert game.tokens == Tokens(prompt=40, completion=10, requests=4)
    first, second = game.decisions[0].rounds[0].responses
    assert (first.temperature, first.answer, first.correct) == (0.5, "7", True)
    assert second.correct is False
    names = [reward.agent for reward in game.decisions[0].rewards]
    assert names == ["executor_0", "executor_1", "team"]
    assert game.decisions[0].rewards[0].components == {"TS": 1.0, "AL": 0.9, "CC": 0.6}


def test_a_response_shows_its_equations_that_do_not_hold() -> None:
    data = transcript(played("8", "7", value="7"))
    data["decisions"][0]["rounds"][0]["executors"][0]["false_equations"] = ["3+4 = 8"]
    del data["decisions"][0]["rounds"][0]["executors"][1]["false_equations"]  # of an older version
    first, second = read(data).decisions[0].rounds[0].responses
    assert (first.false_equations, second.false_equations) == (("3+4 = 8",), ())


def test_a_strategy_shows_what_was_cut_from_it() -> None:
    cut = strategy(text="add both: 3 + 4 = 7", strategy="add both:", leaked=True)
    game = read(transcript(played("7", "7", value="7"), strategies=[cut]))
    assert (game.strategies[0].text, game.strategies[0].cut) == ("add both:", " 3 + 4 = 7")
    assert game.leaked


def test_verdicts_of_earlier_rounds_are_those_of_the_same_values_later() -> None:
    # "seven" can be judged by nobody here, but the last round says that it is right.
    rounds = (played("6", "seven", value="6"), played("seven", "8", value="seven"))
    data = transcript(*rounds, gold="7", scores=(1.0, 0.0))
    data["decisions"][0]["rewards"]["team_components"]["TS"] = 1.0
    game = read(data)
    first, last = game.decisions[0].rounds
    assert [each.correct for each in first.responses] == [False, True]
    assert [each.correct for each in last.responses] == [True, False]
    assert game.flipped == "wrong to right"


def test_without_a_judge_what_is_not_certain_is_not_judged() -> None:
    rounds = (played("x + 1", "007", value="x + 1"), played("8", "8", value="8"))
    game = read(transcript(*rounds, scores=(0.0, 0.0)))
    first = game.decisions[0].rounds[0]
    assert [each.correct for each in first.responses] == [None, True]
    assert game.flipped is None


def test_answers_are_compared_with_the_right_one_as_the_game_read_it() -> None:
    solution = "3 and 4 make <<3+4=7>>7\n#### 7"
    rounds = (played("6", "7", value="6"), played("x", "x + 1", value="x"))
    data = transcript(*rounds, gold=solution, scores=(0.0, 0.0))
    unread = read(data)
    assert unread.gold == solution
    assert [each.correct for each in unread.decisions[0].rounds[0].responses] == [None, None]
    data["decisions"][0]["rewards"]["judged"] = [
        {"agent": "executor_0", "answer": "x", "gold": "7", "verdict": "incorrect"}
    ]
    game = read(data)
    assert game.gold == "7"
    assert [each.correct for each in game.decisions[0].rounds[0].responses] == [False, True]
    asked: list[tuple[str, str]] = []

    def judge(value: str, gold: str) -> bool:
        asked.append((value, gold))
        return False

    read(data, judge=judge)
    assert asked == [("6", solution), ("7", solution)], "a judge reads for itself"


def test_a_judge_is_asked_for_what_the_transcript_does_not_say() -> None:
    rounds = (played("7.0", "9", value="7.0"), played("8", "8", value="8"))
    game = read(
        transcript(*rounds, scores=(0.0, 0.0)),
        judge=lambda value, gold: float(value) == float(gold),
    )
    assert game.decisions[0].rounds[0].responses[0].correct is True
    assert game.flipped == "right to wrong"


def test_no_answer_is_a_wrong_one() -> None:
    game = read(transcript(played(None, "7", value=None), scores=(0.0, 1.0)))
    assert game.decisions[0].rounds[0].responses[0].correct is False
    assert game.correct is False


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"parse_method": "json"}, False),
        ({"parse_method": "last_number"}, True),
        ({"parse_method": "vote"}, False),
        ({"parse_method": "consensus", "called": False}, False),
        ({"parse_method": "none", "error": "time-out"}, False),
    ],
)
def test_a_reply_that_is_no_json_is_noticed(changes: dict[str, Any], expected: bool) -> None:
    made = played("7", "7", value="7", commitments=[commitment("7", **changes)])
    assert read(transcript(made)).no_json is expected


def test_a_failed_game_has_no_verdict() -> None:
    failed = played("7", "7", value="7")
    failed["executors"][1] = response(None, agent=1, error="time-out")
    game = read(transcript(failed, failed="executor_1: time-out"))
    assert (game.failed, game.correct, game.flipped) == ("executor_1: time-out", None, None)
    assert game.decisions[0].rounds[0].responses[1].correct is None


def test_prompts_are_shown_where_they_were_kept() -> None:
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "3 + 4?"}]
    made = played("7", "7", value="7")
    made["executors"][0]["messages"] = asked
    first, second = read(transcript(made)).decisions[0].rounds[0].responses
    assert [message.content for message in first.messages] == ["Be brief.", "3 + 4?"]
    assert second.messages == ()


def test_fields_of_other_versions_do_no_harm() -> None:
    data = transcript(played("7", "7", value="7"), novelty={"of": "tomorrow"})
    del data["decisions"][0]["rounds"][0]["executors"][0]["usage"], data["strategies_shortened"]
    assert read(data).decisions[0].rounds[0].responses[0].tokens == Tokens()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda data: data.update(decisions="none"), r"games.jsonl:1.decisions must be a list"),
        (lambda data: data["question"].update(text=5), r"games.jsonl:1.question.text must be text"),
        (
            lambda data: data["decisions"][0]["rounds"][0]["executors"][1].update(
                temperature="hot"
            ),
            r"games.jsonl:1.decisions\[0\].rounds\[0\].executors\[1\].temperature must be a number",
        ),
        (
            lambda data: data["decisions"][0]["rewards"].update(team=float("inf")),
            r"decisions\[0\].rewards.team must be a finite number",
        ),
        (lambda data: data["usage"].update(prompt_tokens=True), "must be a whole number, got true"),
    ],
)
def test_a_damaged_transcript_is_refused_with_the_place(change: Any, place: str) -> None:
    data = transcript(played("7", "7", value="7"))
    change(data)
    with pytest.raises(PageError, match=place):
        read(data)


def test_without_a_right_answer_nothing_is_judged() -> None:
    data = transcript(played("7", None, value="8"), gold="")
    data["decisions"][0]["rewards"] = None
    game = read(data, judge=lambda value, gold: pytest.fail("nothing can be judged"))
    (only,) = game.decisions[0].rounds
    verdicts = [response.correct for response in only.responses]
    assert (verdicts, only.commitments[0].correct, game.correct, game.reward) == (
        [None, None],
        None,
        None,
        None,
    )
