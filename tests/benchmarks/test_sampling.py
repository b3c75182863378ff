"""The sampling benchmark measures every setting once, and its table counts what was right."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparison.chosen_questions import choose_questions
from benchmarks.sampling import command
from benchmarks.sampling.choosing import choice_by_question
from benchmarks.sampling.measuring import Study, measure
from benchmarks.sampling.picture import draw
from benchmarks.sampling.table import rows_of, table_lines
from econ_agents.logging.plots import PlotError
from econ_env.config import EnvConfig
from econ_env.llm.types import ChatRequest, Completion, ModelError, Usage


def part(
    temperature: float, penalty: float, right: list[list[int]], vote: list[int]
) -> dict[str, Any]:
    return {
        "temperature": temperature,
        "repetition_penalty": penalty,
        "questions": [f"q:{index}" for index in range(len(right))],
        "failed": 0,
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
    greedy, warm, punished, *rest = map(cells, [*table_lines(PARTS)][2:])
    assert rest[1][0].startswith("Choosing among 2 settings by the question: ")
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


def test_a_lucky_setting_is_not_worth_choosing() -> None:
    # Each question is right once at each of three settings, by luck: seen whole, one that is right
    # seems to be there for every question.
    shifts = [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]][i:] + [[1, 0, 0], [0, 1, 0], [0, 0, 1]][:i]
        for i in range(3)
    ]
    parts = {f"T={i},p=1": part(i, 1.0, shifts[i], [0] * 3) for i in range(3)}
    choice = choice_by_question(parts)
    assert choice is not None
    assert choice.by_question == 0  # seen whole, it would be 1/3


def test_a_setting_that_suits_its_question_is_worth_choosing() -> None:
    cold = part(0.2, 1.0, [[1, 1, 1], [0, 0, 0]] * 20, [1, 0] * 20)
    warm = part(1.0, 1.0, [[0, 0, 0], [1, 1, 1]] * 20, [0, 1] * 20)
    choice = choice_by_question({"T=0.2,p=1": cold, "T=1,p=1": warm, "T=0,p=1": PARTS["T=0,p=1"]})
    assert choice is not None
    assert (choice.settings, choice.questions) == (2, 40)
    assert (choice.by_question, choice.fixed) == (1.0, 0.5)
    assert 0.3 < choice.gain.low < 0.5 < choice.gain.high < 0.7


def test_one_setting_leaves_nothing_to_choose() -> None:
    assert choice_by_question({name: PARTS[name] for name in ("T=0.6,p=1", "T=0,p=1")}) is None


def test_results_that_are_all_alike_are_not_certain() -> None:
    wrong = part(0.6, 1.0, [[0, 0, 0]] * 60, [0] * 60)
    greedy = part(0.0, 1.0, [[0]] * 60, [0] * 60)
    row = rows_of({"T=0,p=1": greedy, "T=0.6,p=1": wrong})[1]
    assert row.answer.high > 0.05
    assert row.over_greedy is not None
    assert row.over_greedy.low < -0.05 < 0.05 < row.over_greedy.high


def test_votes_are_compared_on_the_questions_that_both_settings_answered() -> None:
    greedy = part(0.0, 1.0, [[1], [0], [1]], [1, 0, 1])
    warm = {**part(0.6, 1.0, [[0, 0], [1, 1]], [0, 1]), "questions": ["q:0", "q:2"]}
    row = rows_of({"T=0,p=1": greedy, "T=0.6,p=1": warm})[1]
    assert row.over_greedy is not None
    assert row.over_greedy.mean == -0.5


class Losing:
    """A model that loses the first question at every T, and all others at T = 1."""

    name, context_limit = "losing", None

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        lost = {requests[0].messages}
        return [
            Completion(
                text="\\boxed{1}",
                usage=Usage(completion_tokens=5),
                error="lost" if one.temperature == 1 or one.messages in lost else None,
            )
            for one in requests
        ]

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass


def losing_study(*temperatures: float) -> Study:
    config = EnvConfig(dataset="arithmetic", llm=Losing(), n_agents=1, prompts="plain")
    return Study(
        config=config,
        questions=3,
        samples=2,
        temperatures=temperatures,
        repetition_penalties=(),
        at_temperature=0.6,
    )


def test_a_question_with_a_failed_request_is_left_out_and_counted() -> None:
    study = losing_study(0, 0.6)
    questions = choose_questions(study.config, study.questions)
    measured = dict(measure(study, questions, study.settings()))
    assert len(measured) == 2
    for counts in measured.values():
        assert counts["failed"] == 1
        assert counts["questions"] == [question.id for question in questions[1:]]
        assert len(counts["right"]) == len(counts["vote_right"]) == 2


def test_a_setting_at_which_every_question_failed_is_told_after_the_others_are_kept() -> None:
    study = losing_study(1, 0.6)
    found = measure(study, choose_questions(study.config, 3), study.settings())
    setting, counts = next(found)
    assert (setting.temperature, counts["failed"]) == (0.6, 1)
    with pytest.raises(ModelError, match="T=1,p=1: every question failed: lost"):
        next(found)


def test_few_questions_or_none_in_common_are_no_traceback() -> None:
    greedy = {**part(0.0, 1.0, [[1]], [1]), "questions": ["q:9"]}
    lines = list(table_lines({"T=0,p=1": greedy, "T=0.6,p=1": part(0.6, 1.0, [[1, 0]], [1])}))
    assert cells(lines[3])[4] == "–"


def test_equal_shares_of_all_questions_are_not_certain() -> None:
    row = rows_of({"T=0.6,p=1": part(0.6, 1.0, [[1, 1, 0]] * 10, [1] * 10)})[0]
    assert row.answer.mean == pytest.approx(2 / 3)
    assert row.answer.low < 0.6 < 0.75 < row.answer.high


@pytest.mark.slow(reason="asks the bundled model")
def test_results_of_other_questions_are_not_continued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--llm", "bundled:0", "--dataset", "gsm8k", "--questions", "2", "--penalties"]
    flags += ["--temperatures", "0", "--out", str(tmp_path / "sampling.json")]
    flags += ["--cache-path", str(tmp_path / "c.sqlite")]
    codes = []
    for name in ("first", "second"):
        rows = tmp_path / f"{name}.jsonl"
        lines = [{"question": f"{name} {i}?", "answer": f"#### {i}"} for i in range(2)]
        rows.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        codes.append(command.main([*flags, "--data-path", str(rows)]))
    assert codes == [0, 2]
    assert "questions_sha256" in capsys.readouterr().err


def test_the_picture_of_the_same_results_is_the_same(tmp_path: Path) -> None:
    first = draw("a model", rows_of(PARTS), tmp_path / "a.svg").read_bytes()
    assert draw("a model", rows_of(PARTS), tmp_path / "b.svg").read_bytes() == first
    assert b"<svg" in first


def test_without_matplotlib_the_picture_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PlotError, match=r"econ-env\[train\]"):
        draw("a model", rows_of(PARTS), tmp_path / "a.svg")


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

    def watched(study: Any, questions: Any, settings: Any) -> Any:
        asked.extend((each.temperature, each.repetition_penalty) for each in settings)
        return measure(study, questions, settings)

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
        (["--samples", "0"], "--questions must be at least 2, --samples at least 1"),
        (["--questions", "1"], "--questions must be at least 2, --samples at least 1"),
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
