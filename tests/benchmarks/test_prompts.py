"""The prompts' benchmark plays every arm once, keeps what is finished, and compares in pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.prompts import command
from benchmarks.prompts.arms import Arm, arms_of, single
from benchmarks.prompts.table import table_lines


def counts(correct: list[int], vote: list[int] | None = None, **methods: int) -> dict[str, Any]:
    return {
        "questions": [f"q:{index}" for index in range(len(correct))],
        "correct": correct,
        "vote_correct": correct if vote is None else vote,
        "parse_methods": methods,
        "novel": 1,
        "tokens_per_question": 250.4,
    }


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


TEAM = Arm(prompts="plain", strategy=False, commitment_rule="guarded", n_agents=3, temperature=0.6)


def test_every_prompt_set_is_played_alone_and_as_a_team_under_every_rule() -> None:
    arms = list(arms_of(["plain", "default"], n_agents=3, temperature=0.6))
    assert len(set(arms)) == len({arm.name for arm in arms}) == 12
    assert [arm.name for arm in arms[:3]] == [
        "plain/direct/guarded/1@0",
        "plain/strategy/guarded/1@0",
        "plain/direct/coordinator/3@0.6",
    ]
    assert sum(arm.is_single for arm in arms) == 4


def test_executors_stand_against_the_plain_question_and_teams_against_their_vote() -> None:
    plain, hinted = single("plain", strategy=False), single("plain", strategy=True)
    played = {
        plain: counts([1, 1, 0, 0], consensus=4),
        hinted: counts([1, 0, 0, 0], consensus=4),
        TEAM: counts([1, 1, 1, 0], [1, 0, 1, 0], consensus=1, boxed=2, none=1, copied=1),
    }
    _, _, first, second, third = table_lines("m", played)
    assert cells(first)[4:] == ["50.0", "–", "–", "–", "–", "250"]
    assert cells(second)[5].startswith("-25.0 (")
    assert cells(third)[3] == "guarded, 3 executors"
    assert cells(third)[5].startswith("+25.0 (")
    assert cells(third)[6:9] == ["50.0", "25.0", "1"]


def test_arms_are_compared_on_the_questions_that_both_answered() -> None:
    plain, hinted = single("plain", strategy=False), single("plain", strategy=True)
    right = {f"q:{index}": index % 2 for index in range(20)}
    first, last = (
        {**counts([right[q] for q in kept], consensus=19), "questions": kept}
        for kept in (list(right)[1:], list(right)[:-1])
    )
    *_, line = table_lines("m", {plain: first, hinted: last})
    assert cells(line)[5] == "+0.0 (+0.0 to +0.0)"


@pytest.mark.exhaustive
@pytest.mark.slow(reason="plays the bundled model")
def test_a_finished_arm_is_not_played_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "prompts.json"
    flags = ["--llm", "bundled:0", "--dataset", "arithmetic", "--prompts", "plain"]
    flags += ["--questions", "2", "--out", str(out), "--cache-path", str(tmp_path / "c.sqlite")]
    assert command.main(flags) == 0
    first = capsys.readouterr().out
    assert first.count("bundled:0") == 6
    parts = json.loads(out.read_text(encoding="utf-8"))["parts"]
    assert all(len(part["correct"]) + part["failed"] == 2 for part in parts.values())
    monkeypatch.setattr(command, "play_arm", lambda *_: pytest.fail("played again"))
    assert command.main(flags) == 0
    assert capsys.readouterr().out == first


def test_a_model_that_is_not_there_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--llm", "nonsense", "--out", str(tmp_path / "o.json")]
    assert command.main([*flags, "--cache-path", str(tmp_path / "c.sqlite")]) == 2
    assert capsys.readouterr().err.startswith("benchmarks.prompts: ")
