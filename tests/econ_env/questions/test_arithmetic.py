"""The procedural word problems: sound, reproducible, and split by structure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from econ_env.questions.arithmetic import (
    MAX_VALUE,
    ArithmeticQuestions,
    structure_split,
)
from econ_env.questions.arithmetic_templates import EVENTS, OPENINGS, QUESTIONS, RELATIONS
from econ_env.questions.base import QuestionError

SPLITS = ("train", "validation", "test")
KNOWN_KIND, KNOWN_GOLD = "4-step", "970"
KNOWN_TEXT = (
    "Rosa buys 27 boxes with 35 seeds in each box. Rosa gets 12 packs of 22 seeds. That is 239 "
    "more than Hugo has. What is the number of seeds that Hugo has in the end?"
)
APPLY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
}


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(SPLITS), st.integers(0, 10**6), st.integers(0, 10**5 - 1))
def test_every_step_of_a_solution_is_right_and_small(split, seed, index):
    problem = ArithmeticQuestions(split=split, seed=seed).problem(index)
    assert 1 <= len(problem.steps) <= 4
    for step in problem.steps:
        assert step.result == APPLY[step.operation](step.left, step.right)
        assert 0 < step.result <= MAX_VALUE
    assert problem.solution.endswith(rf"\boxed{{{problem.answer}}}")
    assert problem.plan == ", ".join(step.operation for step in problem.steps)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(SPLITS), st.integers(0, 10**6), st.integers(0, 10**5 - 1))
def test_a_solution_uses_only_numbers_that_are_told_or_worked_out(split, seed, index):
    problem = ArithmeticQuestions(split=split, seed=seed).problem(index)
    told = {int(word) for word in problem.text.replace(".", " ").split() if word.isdigit()}
    known = told | {2, 3}  # "half", "twice" and "a third" tell their number in a word
    for step in problem.steps:
        assert {step.left, step.right} <= known
        known.add(step.result)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(SPLITS), st.integers(0, 1000))
def test_a_problem_belongs_to_the_split_of_its_structure(split, index):
    problem = ArithmeticQuestions(split=split).problem(index)
    assert structure_split(problem.structure) == split


def test_the_sealed_split_has_structures_of_the_test_split_in_problems_that_occur_nowhere_else():
    sealed = ArithmeticQuestions(split="sealed")
    assert {structure_split(sealed.problem(i).structure) for i in range(200)} == {"test"}
    played = {ArithmeticQuestions(split=split)[i].text for split in SPLITS for i in range(2000)}
    assert not played & {sealed[i].text for i in range(1000)}


def test_training_shows_every_sentence_form_and_no_structure_of_the_test_split():
    train = [ArithmeticQuestions(split="train").problem(i).structure for i in range(3000)]
    test = [ArithmeticQuestions(split="test").problem(i).structure for i in range(1000)]
    every_form = {form.id for form in (*OPENINGS, *EVENTS, *RELATIONS, *QUESTIONS)}
    assert {form for structure in train for form in structure} == every_form
    assert not set(train) & set(test)


def test_a_chain_is_told_in_any_order_and_solved_from_its_beginning():
    source = ArithmeticQuestions(split="train", steps=(2, 3, 4), chain_rate=1.0)
    problems = [source.problem(index) for index in range(300)]
    relations = {form.id for form in RELATIONS}
    assert all(relations & set(problem.structure) for problem in problems)
    begins_with_number = [problem.structure[0] not in relations for problem in problems]
    assert 0.1 < sum(begins_with_number) / len(begins_with_number) < 0.7


def test_one_step_is_no_chain_unless_asked_for():
    relations_only = {form.id for form in RELATIONS if form.id.startswith("less_")}

    def chains(**settings):
        source = ArithmeticQuestions(split="train", steps=(1,), chain_rate=1.0, **settings)
        return [bool(relations_only & set(source.problem(i).structure)) for i in range(50)]

    assert not any(chains())
    assert any(chains(shortest_chain=1))


def test_without_chains_there_are_only_stories():
    source = ArithmeticQuestions(split="train", chain_rate=0.0)
    reversed_only = {form.id for form in RELATIONS if form.id.startswith("less_")}
    for index in range(300):
        assert not reversed_only & set(source.problem(index).structure)


def test_the_number_of_steps_is_as_asked_and_evenly_spread():
    source = ArithmeticQuestions(split="test", steps=(1, 3))
    counts = [len(source.problem(i).steps) for i in range(400)]
    assert set(counts) == {1, 3}
    assert 140 <= counts.count(1) <= 260


def test_the_same_index_and_seed_give_the_same_question_and_another_seed_another():
    first, again = ArithmeticQuestions(seed=3), ArithmeticQuestions(seed=3)
    other = ArithmeticQuestions(seed=4)
    assert [first[i] for i in (5, 0, 9)] == [again[i] for i in (5, 0, 9)]
    assert [first[i] for i in range(20)] != [other[i] for i in range(20)]


def test_a_known_problem_stays_the_same():
    """The weights were trained and measured on this stream: changing it invalidates them."""
    question = ArithmeticQuestions(split="test", seed=0)[0]
    assert (question.id, question.kind) == ("arithmetic-test-0-0", KNOWN_KIND)
    assert (question.text, question.gold) == (KNOWN_TEXT, KNOWN_GOLD)


def test_a_question_tells_its_number_of_steps():
    source = ArithmeticQuestions(split="validation")
    for index in range(20):
        assert source[index].kind == f"{len(source.problem(index).steps)}-step"
        assert source[index].gold == str(source.problem(index).answer)


def test_length_is_as_given_and_indices_beyond_it_are_refused():
    source = ArithmeticQuestions(size=10)
    assert len(source) == 10
    with pytest.raises(IndexError, match="question 10 of 10"):
        source[10]
    with pytest.raises(IndexError):
        source[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "dev"}, "train, validation, test"),
        ({"steps": (1, 5)}, "between 1 and 4"),
        ({"steps": ()}, "between 1 and 4"),
        ({"size": 0}, "at least one"),
        ({"chain_rate": 1.5}, "share"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(QuestionError, match=words):
        ArithmeticQuestions(**arguments)
