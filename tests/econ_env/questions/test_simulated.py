"""The questions of the simulated model."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.questions.base import QuestionSource
from econ_env.questions.simulated import (
    CORRECT,
    KINDS,
    MAX_SIZE,
    MISCONCEPTION,
    OUTCOMES,
    SimulatedQuestions,
    read_task,
)

NUMBERS = st.integers(1, 400)


def test_the_pool_is_a_question_source_whose_kinds_take_turns() -> None:
    questions = SimulatedQuestions(size=30)
    assert isinstance(questions, QuestionSource)
    assert len(questions) == 30
    assert [questions[i].kind for i in range(4)] == ["restock", "budget", "rate", "restock"]
    assert len({questions[i].id for i in range(30)}) == 30


def test_equal_arguments_give_equal_questions_and_other_seeds_other_questions() -> None:
    def texts(seed: int) -> list[str]:
        questions = SimulatedQuestions(size=60, seed=seed)
        return [questions[i].text for i in range(60)]

    assert texts(0) == texts(0)
    assert texts(0) != texts(1)


def test_no_question_of_one_split_occurs_in_the_other() -> None:
    train = SimulatedQuestions("train", size=600)
    test = SimulatedQuestions("test", size=600, seed=7)
    assert not {train[i].text for i in range(600)} & {test[i].text for i in range(600)}


def test_the_gold_answer_is_what_the_numbers_in_the_text_give() -> None:
    questions = SimulatedQuestions(size=300)
    by_kind = {
        "restock": lambda a, b, c: a * b + c,
        "budget": lambda a, b, c: a - b * c,
        "rate": lambda a, b, c: a // b * c,
    }
    for i in range(300):
        question = questions[i]
        a, b, c = map(int, re.findall(r"\d+", question.text))
        assert question.gold == str(by_kind[question.kind](a, b, c))


@pytest.mark.parametrize("arguments", [{"split": "dev"}, {"size": 0}, {"size": 1201}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SimulatedQuestions(**arguments)  # type: ignore[arg-type]


def test_the_largest_pool_can_be_drawn() -> None:
    assert len(SimulatedQuestions("test", size=MAX_SIZE)) == MAX_SIZE


@given(kind=st.sampled_from(KINDS), a=NUMBERS, b=NUMBERS, c=NUMBERS)
def test_solutions_differ_and_each_line_of_work_ends_in_the_boxed_answer(
    kind: object, a: int, b: int, c: int
) -> None:
    assert isinstance(kind, type(KINDS[0]))
    task = read_task(kind.wording.format(a=a, b=b, c=c))
    if task is None:
        return
    assert KINDS[task.kind] is kind
    assert len(task.solutions) == len(set(task.answers)) == OUTCOMES
    for solution, answer in zip(task.solutions, task.answers, strict=True):
        assert solution.endswith(f"= {answer} ; \\boxed{{{answer}}}")


@given(kind=st.sampled_from(KINDS), a=NUMBERS, b=NUMBERS, c=NUMBERS)
def test_only_slips_state_wrong_equations(kind: object, a: int, b: int, c: int) -> None:
    assert isinstance(kind, type(KINDS[0]))
    task = read_task(kind.wording.format(a=a, b=b, c=c))
    if task is None:
        return
    sound = [_all_equations_hold(solution) for solution in task.solutions]
    assert sound == [index in (CORRECT, MISCONCEPTION) for index in range(OUTCOMES)]


@pytest.mark.parametrize(
    "text",
    [
        "What is 2 + 2?",
        "A machine makes 10 parts in 4 hours. How many parts does it make in 5 hours?",
        "Nora has 9 dollars and buys 5 books for 4 dollars each. How much money is left?",
        "A shop orders 2 boxes of 2 pens and 7 single pens. How many pens does it order?",
        "A shop orders 5 boxes of 4 pens and 7 single pens. How many pens does it order? Why?",
    ],
    ids=["other wording", "remainder", "debt", "misconception is right", "more text"],
)
def test_a_text_that_is_no_sound_question_is_not_read(text: str) -> None:
    assert read_task(text) is None


def _all_equations_hold(solution: str) -> bool:
    equations = re.findall(r"(-?\d+) ([-+*/]) (-?\d+) = (-?\d+)", solution)
    results = {
        "+": lambda x, y: x + y,
        "-": lambda x, y: x - y,
        "*": lambda x, y: x * y,
        "/": lambda x, y: x / y,
    }
    return all(results[sign](int(x), int(y)) == int(z) for x, sign, y, z in equations)
