"""Rows with more than two texts: choices, chats and fields inside fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from econ_env.grading.answers import Verdict, grade
from econ_env.questions import Question, QuestionError, load_questions

CITIES = ["Rome", "Oslo", "Paris"]


def question(folder: Path, row: dict[str, Any], **settings: Any) -> Question:
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return load_questions(path, **settings)[0]


@pytest.mark.parametrize(
    "row",
    [
        {"choices": CITIES, "answer": 2},
        {"choices": CITIES, "answer": "2"},
        {"choices": CITIES, "answer": "C"},
        {"choices": CITIES, "answer": "(C)"},
        {"choices": CITIES, "answer": "Paris"},
        {"options": {"A": "Rome", "B": "Oslo", "C": "Paris"}, "answer": "C"},
        {"choices": {"text": CITIES, "label": ["1", "2", "3"]}, "answer": "3"},
        {"options": ["A) Rome", "B) Oslo", "C) Paris"], "answer": "C"},
    ],
)
def test_choices_are_asked_and_letter_and_text_are_the_gold_answer(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    asked = question(tmp_path, {"question": "The capital of France?"} | row)
    assert asked.text == "The capital of France?\nA. Rome\nB. Oslo\nC. Paris"
    assert asked.gold == "C. Paris"
    for right in ("\\boxed{C}", "The answer is (C) Paris.", "Paris", "Answer: Paris"):
        assert grade(right, asked.gold) is Verdict.CORRECT, right
    for wrong in ("\\boxed{2}", "\\boxed{B}", "The answer is (B) Oslo.", "\\boxed{A. Paris}"):
        assert grade(wrong, asked.gold) is not Verdict.CORRECT, wrong


def test_an_index_counts_where_the_choices_are_numbers_as_text(tmp_path: Path) -> None:
    row = {"question": "3 - 1?", "choices": ["0", "1", "2", "3"], "answer": 2}
    assert question(tmp_path, row).gold == "C. 2"


def test_choices_that_the_question_lists_already_are_not_repeated(tmp_path: Path) -> None:
    text = "The capital of France?\n(A) Rome\n(B) Oslo\n(C) Paris"
    assert question(tmp_path, {"question": text, "choices": CITIES, "answer": 2}).text == text


@pytest.mark.parametrize("choices", [None, [], "", "a word about choices"])
def test_a_row_without_choices_keeps_its_answer(tmp_path: Path, choices: object) -> None:
    asked = question(tmp_path, {"question": "q", "choices": choices, "answer": "42"})
    assert (asked.text, asked.gold) == ("q", "42")


@pytest.mark.parametrize("labels", [5, "AB", ["A"], {"A": 1, "B": 2}])
def test_labels_that_are_no_list_are_refused(tmp_path: Path, labels: object) -> None:
    row = {"question": "q", "choices": {"text": ["a", "b"], "label": labels}, "answer": "a"}
    with pytest.raises(QuestionError, match="must be a list of texts, or labels with texts"):
        question(tmp_path, row)


@pytest.mark.parametrize("answer", [3, -1, "D", "London", 1.5])
def test_an_answer_that_is_no_choice_is_refused(tmp_path: Path, answer: object) -> None:
    with pytest.raises(QuestionError, match=r"line 1: the answer .* is none of the 3 choices"):
        question(tmp_path, {"question": "q", "choices": CITIES, "answer": answer})


@pytest.mark.parametrize(
    "chat",
    [
        [{"role": "user", "content": "3+4?"}],
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "3+4?"}],
        [{"from": "human", "value": "3+4?"}, {"from": "gpt", "value": "7"}],
        [{"role": "user", "content": [{"type": "text", "text": "3+4?"}]}],
        [
            {"role": "user", "content": "1+1?"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": "3+4?"},
        ],
    ],
)
def test_of_a_chat_the_text_of_the_user_is_the_question(tmp_path: Path, chat: list[Any]) -> None:
    assert question(tmp_path, {"prompt": chat, "answer": "7"}).text == "3+4?"


@pytest.mark.parametrize("chat", [[], [{"role": "system", "content": "x"}], ["text"], [{}]])
def test_a_chat_without_a_user_is_refused(tmp_path: Path, chat: list[Any]) -> None:
    with pytest.raises(QuestionError, match="field 'prompt' is a list without a message of a user"):
        question(tmp_path, {"prompt": chat, "answer": "7"})


def test_a_field_inside_a_field_is_named_with_a_dot(tmp_path: Path) -> None:
    row = {
        "prompt": [{"role": "user", "content": "3+4?"}],
        "reward_model": {"style": "rule", "ground_truth": "7"},
    }
    names = {"question_field_name": "prompt", "answer_field_name": "reward_model.ground_truth"}
    assert question(tmp_path, row, **names).gold == "7"
    names["answer_field_name"] = "reward_model.truth"
    with pytest.raises(QuestionError, match=r"no field 'reward_model\.truth'"):
        question(tmp_path, row, **names)
