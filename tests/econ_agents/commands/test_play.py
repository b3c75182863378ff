"""``econ-agents play``: a trained team at play."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from econ_agents.commands.cli import main
from econ_agents.commands.play import run_play
from econ_agents.training.inspection import find_checkpoint, stored_config
from econ_env.game.transcript import Transcript
from econ_env.questions import load_questions
from tests.econ_agents.small_runs import train

OWN = load_questions("simulated", split="train")[0].text


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("run"), "train.episodes=10")


def games_in(path: Path) -> list[Transcript]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Transcript.from_json(json.loads(line)) for line in lines]


def test_the_questions_of_the_test_are_played_and_shown(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "games.jsonl"
    flags = ["--model-dir", str(run), "--questions", "3", "--show", "2", "--out", str(out)]
    assert main(["play", *flags]) == 0
    said = capsys.readouterr().out
    assert [f"game {n} of 3\n=== question" in said for n in (1, 2, 3)] == [True, True, False]
    games = games_in(out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    test_questions = load_questions("simulated", split="test")
    known = {test_questions[i].text for i in range(len(test_questions))}
    assert len({game.question.text for game in games} & known) == 3
    paid = [game.decisions[-1].rewards for game in games]
    right = sum(rewards is not None and rewards.team_components["TS"] == 1 for rewards in paid)
    assert f"right: {right} of 3" in said
    assert main(["play", *flags]) == 0
    assert games_in(out) == [*games, *games], "the same team plays the same games"


def test_games_are_kept_for_their_owner_alone_whatever_new_files_are(
    run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "games.jsonl"
    before = os.umask(0o022)
    try:
        checkpoint = find_checkpoint(run)
        assert run_play(stored_config(checkpoint), checkpoint, questions=1, out=out) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert len(games_in(out)) == 1


def test_it_answers_a_question_of_ones_own(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "asked.jsonl"
    assert main(["play", "--model-dir", str(run), "--question", OWN, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for part in (OWN, "executor_0", "T=", "commitment of coordinator", "tokens"):
        assert part in said
    for judging in ("gold", "correct", "wrong", "reward", "right:"):
        assert judging not in said
    (game,) = games_in(out)
    assert (game.question.text, game.decisions[-1].rewards) == (OWN, None)


def test_of_a_question_of_ones_own_the_answer_at_least_is_printed(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", "--model-dir", str(run), "--question", OWN, "--show", "0"]) == 0
    assert re.search(r"^answer: \d+$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--questions", "0"], "--questions must be at least 1"),
        (["--question", " "], "--question is empty"),
        (["--show", "-1"], "--show must be at least 0"),
        (["--out", "/no/such/games.jsonl"], "there is no folder /no/such"),
    ],
)
def test_a_mistake_is_one_line(
    run: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", "--model-dir", str(run), *flags]) == 2
    assert message in capsys.readouterr().err


def test_games_are_not_appended_to_another_file(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine", encoding="utf-8")
    assert main(["play", "--model-dir", str(run), "--out", str(notes)]) == 2
    assert "a file of another kind" in capsys.readouterr().err
    assert notes.read_text(encoding="utf-8") == "mine"
