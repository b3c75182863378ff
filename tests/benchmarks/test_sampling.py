"""The sampling benchmark measures every setting once, and its table counts what was right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sampling import command
from benchmarks.sampling.picture import draw
from benchmarks.sampling.table import rows_of, table_lines


def part(
    temperature: float, penalty: float, right: list[list[int]], vote: list[int]
) -> dict[str, Any]:
    return {
        "temperature": temperature,
        "repetition_penalty": penalty,
        "right": right,
        "vote_right": vote,
        "completion_tokens": 151.4,
        "cut_off": 1,
    }


PARTS = {
    "T=0.6,p=1.2": part(0.6, 1.2, [[0, 0, 0], [0, 0, 1]], [0, 0]),
    "T=0.6,p=1": part(0.6, 1.0, [[1, 1, 1], [0, 1, 1]], [1, 1]),
    "T=0,p=1": part(0.0, 1.0, [[1], [0]], [1, 0]),
}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_rows_stand_by_penalty_and_temperature_against_the_greedy_answer() -> None:
    _, _, greedy, warm, punished = map(cells, table_lines(PARTS))
    assert greedy[:2] == ["0", "1"]
    assert greedy[2] == greedy[3]
    assert greedy[2].startswith("50.0 (")
    assert greedy[4:] == ["–", "151", "50.0"]
    assert warm[:2] == ["0.6", "1"]
    assert warm[2].startswith("83.3 (")
    assert warm[3].startswith("100.0 (")
    assert warm[4].startswith("+50.0 (")
    assert warm[6] == "16.7"
    assert punished[:2] == ["0.6", "1.2"]
    assert punished[2].startswith("16.7 (")
    assert punished[4].startswith("-50.0 (")


def test_without_a_greedy_answer_nothing_is_compared_with_it() -> None:
    lines = list(table_lines({"T=0.6,p=1": PARTS["T=0.6,p=1"]}))
    assert cells(lines[2])[4] == "–"


def test_the_picture_of_the_same_results_is_the_same(tmp_path: Path) -> None:
    first = draw("a model", rows_of(PARTS), tmp_path / "a.svg").read_bytes()
    assert draw("a model", rows_of(PARTS), tmp_path / "b.svg").read_bytes() == first
    assert b"<svg" in first


@pytest.mark.slow(reason="asks the bundled model")
def test_a_study_continues_where_it_was_and_asks_greedy_answers_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sampling.json"
    flags = ["--llm", "bundled:0", "--dataset", "arithmetic", "--questions", "4"]
    flags += ["--temperatures", "0", "0.6", "--out", str(out)]
    flags += ["--cache-path", str(tmp_path / "c.sqlite")]
    assert command.main([*flags, "--penalties"]) == 0
    parts = json.loads(out.read_text(encoding="utf-8"))["parts"]
    assert {name: [len(each) for each in found["right"]] for name, found in parts.items()} == {
        "T=0,p=1": [1] * 4,
        "T=0.6,p=1": [3] * 4,
    }
    asked: list[tuple[float, float]] = []
    measure = command.measure

    def watched(study: Any, settings: Any) -> Any:
        asked.extend((each.temperature, each.repetition_penalty) for each in settings)
        return measure(study, settings)

    monkeypatch.setattr(command, "measure", watched)
    assert command.main([*flags, "--penalties", "1.2"]) == 0
    assert asked == [(0.6, 1.2)]
    assert (tmp_path / "sampling.svg").is_file()
    assert "| 0.6 | 1.2 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--temperatures", "3"], "temperatures must be from 0 to 2"),
        (["--penalties", "0"], "penalties must be from 0.1 to 10"),
        (["--samples", "0"], "--questions and --samples must be at least 1"),
        (["--llm", "nonsense"], "unknown model 'nonsense'"),
    ],
)
def test_a_wrong_flag_is_said_and_nothing_is_written(
    flags: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sampling.json"
    assert command.main([*flags, "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
