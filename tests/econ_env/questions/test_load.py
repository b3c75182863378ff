"""One name says which questions are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from econ_env.questions import Question, QuestionError, load_questions

ROW = '{"question": "q", "answer": "%s"}\n'


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read_whether_text_or_path(tmp_path: Path, kind: type[str] | type[Path]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "long prompt", "label": "1"}\n{"prompt": "p", "label": "2"}\n')
    questions = load_questions(
        kind(path),
        question_field_name="prompt",
        answer_field_name="label",
        max_question_length=3,
    )
    assert [questions[index].gold for index in range(len(questions))] == ["2"]


def test_a_folder_holds_one_file_per_split(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(ROW % "train")
    (tmp_path / "test.csv").write_text("question,answer\nq,test\n")
    assert load_questions(str(tmp_path))[0].gold == "test"
    assert load_questions(str(tmp_path), split="train")[0].gold == "train"
    with pytest.raises(QuestionError, match=r"'validation', named validation\.jsonl or"):
        load_questions(str(tmp_path), split="validation")


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text(ROW % "1")
    (tmp_path / "test.csv").write_text("question,answer\nq,2\n")
    with pytest.raises(QuestionError, match=r"exactly one file.*holds 2"):
        load_questions(tmp_path)


def test_a_source_is_returned_as_it_is() -> None:
    class One:
        name = "one"

        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Question:
            return Question(id="1", text="q", gold="1")

    source = One()
    assert load_questions(source) is source


@pytest.mark.parametrize("name", ["arithmetic", "simulated"])
def test_procedural_questions_depend_on_split_and_seed(name: str) -> None:
    first = [load_questions(name, split="test", seed=1)[index].text for index in range(20)]
    again = [load_questions(name, split="test", seed=1)[index].text for index in range(20)]
    other = [load_questions(name, split="test", seed=2)[index].text for index in range(20)]
    train = [load_questions(name, split="train", seed=1)[index].text for index in range(20)]
    assert first == again
    assert first not in (other, train)


@pytest.mark.parametrize("name", ["arithmetic", "simulated"])
def test_procedural_questions_refuse_an_unknown_split(name: str) -> None:
    with pytest.raises(QuestionError, match=f"{name}: unknown split 'tset'"):
        load_questions(name, split="tset")


def test_field_names_without_a_file_are_refused() -> None:
    with pytest.raises(QuestionError, match="'arithmetic' has no use for question_field_name"):
        load_questions("arithmetic", question_field_name="question", answer_field_name="answer")


def test_an_unknown_name_lists_what_is_accepted() -> None:
    with pytest.raises(QuestionError, match=r"unknown data set 'riddles'.*'arithmetic', 'simul"):
        load_questions("riddles")


def test_a_name_that_is_nearly_known_is_suggested() -> None:
    with pytest.raises(QuestionError, match=r"unknown data set 'gsm9k'\. Did you mean 'gsm8k'\?$"):
        load_questions("gsm9k")


def test_a_missing_path_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="no such file"):
        load_questions(str(tmp_path / "gsm9k.jsonl"))
    with pytest.raises(QuestionError, match="cannot read a file with the extension ''"):
        load_questions(tmp_path / "gsm9k")
