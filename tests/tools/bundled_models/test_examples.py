"""Training examples of the bundled models."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.game.parsing import guard_strategy, parse_commitment
from econ_env.game.prompts import COMPACT
from econ_env.questions.arithmetic import ArithmeticQuestions
from tools.bundled_models.examples import (
    arithmetic_is_right,
    boxed_answer,
    calculation_example,
    commit_example,
    execute_example,
    operations_of,
    strategy_example,
    wrong_plan,
    wrong_value,
)

PROBLEMS = ArithmeticQuestions(split="train", seed=9)
indices = st.integers(0, 5000)
randoms = st.integers(0, 10**6).map(random.Random)


@given(indices, randoms)
def test_a_strategy_to_learn_is_a_plan_that_the_leak_guard_lets_pass(index, rng):
    problem = PROBLEMS.problem(index)
    reply = strategy_example(rng, problem).reply
    assert reply == problem.plan
    assert guard_strategy(reply) == (reply, False)


@given(indices, randoms)
def test_a_response_to_learn_is_right_whatever_plan_and_last_commitment_say(index, rng):
    problem = PROBLEMS.problem(index)
    example = execute_example(rng, problem)
    assert boxed_answer(example.reply) == str(problem.answer)
    assert example.messages[0].content.startswith(f"solve: {problem.text}")


def test_plans_and_last_commitments_are_sometimes_right_wrong_and_absent():
    plans, lasts = set(), set()
    for index in range(200):
        problem = PROBLEMS.problem(index)
        lines = execute_example(random.Random(index), problem).messages[0].content.split("\n")
        parts = dict(line.split(": ", 1) for line in lines)
        plans.add(None if "plan" not in parts else parts["plan"] == problem.plan)
        lasts.add(None if "last" not in parts else parts["last"] == str(problem.answer))
    assert plans == lasts == {None, True, False}


@given(randoms)
def test_a_bare_calculation_is_right_and_its_plan_names_the_operation(rng):
    example = calculation_example(rng)
    answer = boxed_answer(example.reply)
    assert answer is not None
    assert int(answer) > 0
    assert arithmetic_is_right(example.reply)
    plan = example.messages[0].content.partition("\nplan: ")[2]
    assert plan in ("", *operations_of(example.reply))


def test_solutions_show_the_steps_in_different_ways():
    problem = next(p for i in range(999) if len((p := PROBLEMS.problem(i)).steps[0].workings) > 1)
    replies = {execute_example(random.Random(seed), problem).reply for seed in range(20)}
    assert len(replies) > 1
    assert all(arithmetic_is_right(reply) for reply in replies)


@given(indices, randoms)
def test_a_commitment_to_learn_repeats_the_steps_of_responses_that_have_them_right(index, rng):
    problem = PROBLEMS.problem(index)
    right = execute_example(rng, problem).reply
    example = commit_example(rng, problem, "", [right, "9 + 9 = 19 ; \\boxed{19}"])
    work = right.rpartition(" ; ")[0]
    assert json.loads(example.reply)["reason"] == work


@given(indices, randoms)
def test_a_commitment_to_learn_is_json_with_the_reason_before_the_value(index, rng):
    problem = PROBLEMS.problem(index)
    wrong = problem.solution.replace(rf"\boxed{{{problem.answer}}}", r"\boxed{7777}")
    example = commit_example(rng, problem, problem.plan, [problem.solution, wrong, wrong])
    assert list(json.loads(example.reply)) == ["reason", "value", "confidence", "checklist"]
    commitment = parse_commitment(example.reply)
    assert commitment.parse_method == "json"
    assert commitment.value == str(problem.answer)
    assert commitment.confidence == pytest.approx(0.33)
    assert commitment.checklist == {"agree": False, "arithmetic": True, "units": True}
    assert example.messages == COMPACT.commit(
        problem.text, problem.plan, [problem.solution, wrong, wrong]
    )


@given(indices, randoms)
def test_a_wrong_plan_and_a_wrong_value_are_wrong(index, rng):
    problem = PROBLEMS.problem(index)
    assert wrong_plan(rng, problem.plan) != problem.plan
    assert wrong_value(rng, problem) != str(problem.answer)


@given(indices)
def test_the_operations_of_a_solution_are_its_plan(index):
    problem = PROBLEMS.problem(index)
    assert ", ".join(operations_of(problem.solution)) == problem.plan


@pytest.mark.parametrize(
    ("response", "right"),
    [
        ("2 + 3 = 5 ; 5 * 4 = 20", True),
        ("2 + 3 = 6", False),
        ("7 / 2 = 3", False),
        ("8 / 2 = 4", True),
        ("8 / 0 = 4", False),
        ("12 * 12 = 120 + 24 = 144", True),
        ("12 * 12 = 120 + 34 = 144", False),
        ("12 * 12 = 120 + 24 = 154", False),
        ("2 + = 3", False),
        ("2 plus 3 = 5", False),
        ("2 - 3 = 1", False),
        ("nothing to check", True),
    ],
)
def test_calculations_are_checked_exactly(response, right):
    assert arithmetic_is_right(response) is right
