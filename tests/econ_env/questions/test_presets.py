"""Known data sets: where they are, which fields they have, how their gold answers are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import econ_env
from econ_env.grading.answers import gold_answer
from econ_env.questions import PRESETS, QuestionError, load_questions
from tests.support import RecordingModel

Row = Mapping[str, object]

ROWS: dict[str, Row] = {
    "gsm8k": {"question": "q", "answer": "2 + 1 = <<2+1=3>>3\n#### 1,003"},
    "math": {"problem": "q", "level": "1", "type": "T", "solution": r"so $\boxed{\frac{1}{2}}$."},
    "math500": {"problem": "q", "solution": "s", "answer": r"\frac{1}{2}", "subject": "T"},
    "svamp": {"ID": "1", "Body": "b", "Question": "q", "Answer": "27.0", "Type": "T"},
    "gsm_hard": {"input": "q", "code": "", "target": -9867630.5},
    "strategyqa": {"qid": "1", "question": "q", "answer": True},
}
READ = {
    "gsm8k": ("q", "1,003", ""),
    "math": ("q", r"\frac{1}{2}", "T"),
    "math500": ("q", r"\frac{1}{2}", "T"),
    "svamp": ("b q", "27.0", "T"),
    "gsm_hard": ("q", "-9867630.5", ""),
    "strategyqa": ("q", "yes", ""),
}


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: Row) -> Path:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "test.jsonl").write_text(text, "utf-8")
        return tmp_path

    return write


def test_there_is_a_row_for_every_preset() -> None:
    assert ROWS.keys() == READ.keys() == PRESETS.keys()


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("file", ["", "test.jsonl"])
def test_a_preset_reads_a_folder_or_a_file_with_its_fields(
    folder: Callable[..., Path], name: str, file: str
) -> None:
    question = load_questions(name, data_path=folder(ROWS[name]) / file)[0]
    assert (question.text, gold_answer(question.gold), question.kind) == READ[name]


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("gsm8k", {"answer": "so 3"}, "field 'answer'.*it has no '#### '"),
        ("gsm8k", {"answer": "so\n####"}, "field 'answer'.*the answer in it is empty"),
        ("gsm8k", {"answer": "so\n#### many"}, "field 'answer'.*'many' is not a number"),
        (
            "math",
            {"solution": "so 3"},
            r"field 'solution'.*it has no \\boxed.*answer_field_name=.solution.",
        ),
        ("math", {"solution": r"so \boxed{}"}, "field 'solution'.*the answer in it is empty"),
        ("math500", {"answer": "1+" * 300}, "field 'answer'.*its 600 characters are more than"),
        ("svamp", {"Answer": "many"}, "field 'Answer'.*'many' is not a number"),
        ("gsm_hard", {"target": True}, "field 'target'.*'yes' is not a number"),
        ("strategyqa", {"answer": "perhaps"}, "field 'answer'.*'perhaps' is neither yes nor no"),
        ("svamp", {"Body": " "}, "field 'Body' is empty.*Fields there: 'ID', 'Body'"),
        ("gsm_hard", {"target": None}, "field 'target' is empty.*Fields there: 'input', 'code'"),
    ],
)
def test_a_row_that_cannot_be_graded_is_refused_with_its_place(
    folder: Callable[..., Path], name: str, change: Row, reason: str
) -> None:
    path = folder(ROWS[name], {**ROWS[name], **change})
    with pytest.raises(QuestionError, match=rf"test\.jsonl, line 2: {reason}"):
        load_questions(name, data_path=path)


def test_a_missing_field_of_a_preset_is_named(folder: Callable[..., Path]) -> None:
    with pytest.raises(
        QuestionError, match=r"line 1: no field 'question'; fields there: 'problem'"
    ):
        load_questions("gsm8k", data_path=folder({"problem": "q", "answer": "#### 1"}))


def test_too_long_gold_answers_can_be_left_out(folder: Callable[..., Path]) -> None:
    path = folder(ROWS["math500"], {**ROWS["math500"], "answer": "1+" * 300})
    assert len(load_questions("math500", data_path=path, max_answer_length=500)) == 1


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"first \boxed{1}, then \fbox{2}.", "2"),
        (r"therefore $x = \boxed 9$.", "9"),
        (r"therefore $x = \boxed 9\%$ of all.", "9%"),
        (r"therefore \boxed\frac12", r"\frac12"),
        (r"never closed \boxed{9", ""),
    ],
)
def test_the_answer_of_a_solution_is_its_last_box(solution: str, answer: str) -> None:
    assert gold_answer(solution) == answer


def test_named_fields_replace_those_of_a_preset(folder: Callable[..., Path]) -> None:
    path = folder({"prompt": "p", "label": "7"})
    question = load_questions(
        "gsm8k", data_path=path, question_field_name="prompt", answer_field_name="label"
    )[0]
    assert (question.text, question.gold) == ("p", "7")


def test_an_unknown_split_of_a_preset_lists_those_there() -> None:
    with pytest.raises(QuestionError, match=r"gsm_hard: unknown split 'train'; there is only 'te"):
        load_questions("gsm_hard", split="train")
    with pytest.raises(QuestionError, match="gsm8k: unknown split 'dev'; there are train and test"):
        load_questions("gsm8k", split="dev")


def test_a_preset_wins_over_a_folder_of_its_name(
    folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder(ROWS["gsm8k"])
    path.rename(path.parent / "gsm8k")
    monkeypatch.chdir(path.parent)
    assert load_questions("./gsm8k")[0].text == "q"
    with pytest.raises(QuestionError, match="openai/gsm8k"):
        load_questions("gsm8k")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "rows.jsonl", "subset": "main"}, "no use for subset: leave"),
        ({"dataset": "rows.jsonl", "streaming": True}, "no use for streaming"),
        (
            {"dataset": "gsm8k", "data_path": "rows.jsonl", "revision": "v1"},
            "data_path, has no use for r",
        ),
        ({"dataset": "arithmetic", "data_path": "rows.jsonl"}, "no use for data_path"),
        ({"dataset": "openai/gsm8k", "data_path": "rows.jsonl"}, "dataset='rows.jsonl' alone"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        load_questions(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("gsm8k", {"train": 2000, "test": 660}),
        ("svamp", {"train": 700, "test": 150}),
        ("math500", {"test": 250}),
        ("gsm_hard", {"test": 300}),
        ("strategyqa", {"train": 300, "test": 200}),
    ],
)
def test_real_rows_read_alike_with_and_without_the_preset(
    data_dir: Path, name: str, splits: dict[str, int]
) -> None:
    for split, size in splits.items():
        known = load_questions(name, split=split, data_path=data_dir / name)
        guessed = load_questions(data_dir / name / f"{split}.jsonl")
        assert len(known) == len(guessed) == size
        assert [known[i] for i in range(size)] == [guessed[i] for i in range(size)]


def test_real_solutions_of_math_give_the_stated_answers(data_dir: Path) -> None:
    path = data_dir / "math500" / "test.jsonl"
    solved = load_questions("math", data_path=path)
    stated = load_questions("math500", data_path=path)
    pairs = [(gold_answer(solved[i].gold), gold_answer(stated[i].gold)) for i in range(250)]
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_an_environment_plays_a_preset_on_a_local_file(folder: Callable[..., Path]) -> None:
    env = econ_env.parallel_env(
        dataset="gsm8k",
        data_path=str(folder(ROWS["gsm8k"])),
        llm=RecordingModel("any"),
        embedder="hashing",
    )
    env.reset(seed=0)
    assert env.transcript.question.gold.endswith("#### 1,003")
    env.close()
