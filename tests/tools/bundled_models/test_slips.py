"""Made-up responses: of the right form, and wrong as often and as consistently as asked for."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from econ_env.questions.arithmetic import ArithmeticQuestions
from tools.bundled_models.examples import arithmetic_is_right, boxed_answer, operations_of
from tools.bundled_models.slips import slipped_response, slipped_responses

PROBLEMS = ArithmeticQuestions(split="train", seed=9)
indices = st.integers(0, 5000)
randoms = st.integers(0, 10**6).map(random.Random)


@given(indices, randoms)
def test_a_response_without_mistakes_is_right(index, rng):
    problem = PROBLEMS.problem(index)
    response = slipped_response(rng, problem, slip_rate=0.0, misread_rate=0.0)
    assert boxed_answer(response) == str(problem.answer)
    assert ", ".join(operations_of(response)) == problem.plan
    assert arithmetic_is_right(response)


@given(indices, randoms)
def test_a_response_full_of_slips_keeps_the_plan_and_the_calculations_do_not_hold(index, rng):
    problem = PROBLEMS.problem(index)
    response = slipped_response(rng, problem, slip_rate=1.0, misread_rate=0.0)
    assert ", ".join(operations_of(response)) == problem.plan
    assert not arithmetic_is_right(response)


@given(indices, randoms, st.integers(2, 5))
def test_there_are_as_many_responses_as_asked_for_and_all_end_in_a_positive_answer(
    index, rng, count
):
    responses = slipped_responses(rng, PROBLEMS.problem(index), count)
    assert len(responses) == count
    for response in responses:
        answer = boxed_answer(response)
        assert answer is not None
        assert int(answer) > 0
        assert response.endswith(f"= {answer} ; \\boxed{{{answer}}}")


def test_mistakes_are_carried_on():
    problem = next(
        p for i in range(99) if len((p := PROBLEMS.problem(i)).steps) > 1 and p.steps[0].right > 30
    )
    for seed in range(50):
        response = slipped_response(random.Random(seed), problem, 1.0, 0.0)
        first, second = response.split(" ; ")[:2]
        carried = first.split(" = ")[-1]
        told = {str(problem.steps[1].left), str(problem.steps[1].right)}
        if str(problem.steps[0].result) in told:
            assert carried in second.split(" = ")[0].split()


def test_questions_differ_in_how_often_they_are_answered_right():
    shares = set()
    for index in range(200):
        problem = PROBLEMS.problem(index)
        responses = slipped_responses(random.Random(index), problem, 5)
        shares.add(sum(boxed_answer(r) == str(problem.answer) for r in responses))
    assert shares == {0, 1, 2, 3, 4, 5}
