"""``econ-env validate`` lists the rows that no grader can do justice to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from econ_env.commands import validate as validation
from econ_env.commands.cli import main
from econ_env.commands.validate import why_not_gradable
from econ_env.grading.answers import Verdict, grade
from econ_env.questions.base import Question


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """Writes question/answer rows to a file."""

    def write(*answers: Any, more: str = "") -> Path:
        path = tmp_path / "rows.jsonl"
        lines = [json.dumps({"question": "q", "answer": answer}) for answer in answers]
        path.write_text("\n".join(lines) + "\n" + more, "utf-8")
        return path

    return write


def validate(path: Path | str, *flags: str) -> int:
    return main(["validate", str(path), *flags])


def test_rows_that_pass_are_counted(
    rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ["so\n#### 1,018", "so \\boxed{\\frac{3}{4}}", -9.5, True, "Paris", "(1, 2)", "x^2+1"]
    assert validate(rows(*answers)) == 0
    captured = capsys.readouterr()
    assert captured.out.split() == ["rows", "checked", "7", "passed", "7", "failed", "0"]
    assert captured.err == ""


def test_rows_that_fail_are_listed_with_place_and_reason(
    rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = rows("1", "", "x}", 'the ("red") one', ["1"], "so ####", "2")
    assert validate(path) == 1
    *failures, checked, passed, failed = capsys.readouterr().out.splitlines()
    assert (checked.split()[-1], passed.split()[-1], failed.split()[-1]) == ("7", "2", "5")
    reasons = {
        2: "field 'answer' is empty",
        3: "the gold answer 'x}' is graded unparseable against itself",
        4: "cannot be read as a value, so that only this exact spelling",
        5: "field 'answer' must be text",
        6: "no gold answer that can be graded: the answer in it is empty",
    }
    for failure, (line, reason) in zip(failures, reasons.items(), strict=True):
        assert failure.startswith(f"{path}, line {line}: ")
        assert reason in failure


def test_a_grader_that_accepts_a_wrong_answer_fails_the_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(validation, "grade", lambda response, gold: Verdict.CORRECT)
    reason = why_not_gradable(Question(id="1", text="q", gold="so\n#### 18"))
    assert reason == "the wrong answer '19' is graded correct; the gold answer is '18'"


def test_a_comparison_that_takes_too_long_fails_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(response: str, gold: str) -> Verdict:
        return Verdict.TIMEOUT if "19" in response else grade(response, gold)

    monkeypatch.setattr(validation, "grade", slow)
    reason = why_not_gradable(Question(id="1", text="q", gold="18"))
    assert reason == "comparing the gold answer '18' with '19' took too long"


def test_too_long_rows_are_left_out(
    rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(rows("1", "1000"), "--max-answer-length", "3") == 0
    assert "left out as too long 1" in capsys.readouterr().out


def test_only_the_first_rows_are_checked_on_request(
    rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(rows("1", "2", ""), "--rows", "2") == 0
    assert "rows checked         2" in capsys.readouterr().out


def test_named_fields_and_a_known_data_set_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("prompt,label\nq,7\n")
    fields = ["--question-field-name", "prompt", "--answer-field-name", "label"]
    assert validate(path, *fields) == 0
    assert validate("svamp", "--data-path", str(path), *fields) == 0
    assert validate("svamp", "--data-path", str(path)) == 1, "the fields of SVAMP are missing"


def test_questions_that_are_made_are_checked_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate("arithmetic", "--rows", "50", "--seed", "3") == 0
    assert validate("simulated", "--split", "train") == 0
    assert "rows checked         450" in capsys.readouterr().out


def test_a_file_that_breaks_off_shows_what_was_found_before(
    rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(rows("1", "", more='{"question"\n')) == 2
    captured = capsys.readouterr()
    assert "line 2: field 'answer' is empty" in captured.out
    assert "failed               1" in captured.out
    assert captured.err.startswith("econ-env validate: ")
    assert "line 3: not valid JSON" in captured.err


def test_ctrl_c_sums_up_what_was_found(
    rows: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    check = validation.why_not_gradable
    verdicts: Iterator[int] = iter(range(3))

    def interrupted(question: Question) -> str | None:
        if next(verdicts, None) is None:
            raise KeyboardInterrupt
        return check(question)

    monkeypatch.setattr(validation, "why_not_gradable", interrupted)
    assert validate(rows("1", "", "x}", "4", "5")) == 130
    captured = capsys.readouterr()
    assert "interrupted after 4 rows" in captured.err
    assert "line 3: the gold answer 'x}'" in captured.out
    assert "failed               2" in captured.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["gsm9k"], "unknown data set 'gsm9k'"),
        (["openai/gsm8k"], "openai/gsm8k (split 'test')"),
        (["arithmetic", "--rows", "0"], "--rows must be at least 1"),
        (["arithmetic", "--split", "tset"], "unknown split 'tset'"),
        (["rows.jsonl", "--max-answer-length", "0"], "--max-answer-length must be at least 1"),
        (["rows.jsonl", "--question-field-name", "q"], "together, or neither"),
        (["arithmetic", "--subset", "main"], "no use for subset"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("econ-env validate: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize("answers", [[], ["123", "456"]])
def test_a_data_set_with_nothing_to_check_is_a_mistake(
    rows: Callable[..., Path], answers: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(rows(*answers), "--max-answer-length", "2") == 2
    assert "questions" in capsys.readouterr().err


def test_help_is_for_newcomers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["validate", "--help"])
    assert exit_info.value.code == 0
    out = capsys.readouterr().out
    for part in ("A row passes if", "econ-env validate my_questions.jsonl", "exit code", "--split"):
        assert part in out


@pytest.mark.parametrize(
    ("name", "split", "size"),
    [
        ("gsm8k", "train", 2000),
        ("gsm8k", "test", 660),
        ("svamp", "train", 700),
        ("svamp", "test", 150),
        ("gsm_hard", "test", 300),
        ("strategyqa", "train", 300),
        ("strategyqa", "test", 200),
        ("math500", "test", 250),
    ],
)
def test_every_real_row_passes(
    data_dir: Path, name: str, split: str, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(name, "--data-path", str(data_dir / name), "--split", split) == 0
    assert f"passed               {size}\nfailed               0" in capsys.readouterr().out
