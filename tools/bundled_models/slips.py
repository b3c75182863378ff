"""Responses with the mistakes that small models make, written without a model.

Commitments learn to find mistakes. A solver's own responses are the real thing, but each costs a
generation, so that few questions have them; made-up responses are unlimited, and each is new.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import get_args

from econ_env.questions.arithmetic import Problem
from econ_env.questions.arithmetic_steps import Step, render_solution
from econ_env.questions.arithmetic_templates import Operation

SLIP_RATES = (0.03, 0.35)
"""Range of the rate of wrong calculations, drawn once for all responses to a question."""
MISREAD_RATES = (0.0, 0.12)
"""Range of the rate of misread operations, drawn once for all responses to a question."""
REPEAT_RATE = 0.15
"""Share of the responses that repeat the one before: equal mistakes."""


def slipped_responses(rng: random.Random, problem: Problem, count: int) -> list[str]:
    """Make ``count`` responses to ``problem``, some of them with mistakes."""
    slip_rate, misread_rate = rng.uniform(*SLIP_RATES), rng.uniform(*MISREAD_RATES)
    responses: list[str] = []
    for _ in range(count):
        if responses and rng.random() < REPEAT_RATE:
            responses.append(responses[-1])
        else:
            responses.append(slipped_response(rng, problem, slip_rate, misread_rate))
    rng.shuffle(responses)
    return responses


def slipped_response(
    rng: random.Random, problem: Problem, slip_rate: float, misread_rate: float
) -> str:
    """Make a response in which mistakes happen at these rates and are carried on."""
    carried: dict[int, int] = {}
    texts: list[str] = []
    result = 0
    for step in problem.steps:
        misread = rng.random() < misread_rate
        operation = rng.choice(get_args(Operation)) if misread else step.operation
        left, right = carried.get(step.left, step.left), carried.get(step.right, step.right)
        right_step = _calculate(left, operation, right)
        text, result = _write(rng, right_step, slips=rng.random() < slip_rate)
        texts.append(text)
        carried[step.result] = result
    return render_solution(texts, result)


def _calculate(left: int, operation: Operation, right: int) -> Step:
    """Make the calculation with a positive whole result, as a solver would with any operands."""
    results = {
        "add": left + right,
        "subtract": left - right if left > right else right - left + 1,
        "multiply": min(left * right, 99_999),
        "divide": max(left // right, 1),
    }
    return Step(left=left, operation=operation, right=right, result=results[operation])


def _write(rng: random.Random, step: Step, *, slips: bool) -> tuple[str, int]:
    """Write a step as text, with one mistake if ``slips``; return the text and its result."""
    parts = rng.choice(step.partitions)
    result = step.result
    if slips and parts and rng.random() < 0.6:
        place = rng.randrange(len(parts))
        parts = (*parts[:place], _slip(rng, parts[place]), *parts[place + 1 :])
        result = sum(parts)
    elif slips:
        result = _slip(rng, result)
    wrong = Step(left=step.left, operation=step.operation, right=step.right, result=result)
    return wrong.written(parts), result


def _slip(rng: random.Random, value: int) -> int:
    """Draw another positive number that looks like ``value``: one digit is wrong, mostly by one."""
    places: Sequence[int] = [10**place for place in range(len(str(value)))]
    while True:
        delta = rng.choice((-1, 1, -1, 1, -2, 2, rng.randint(-9, 9)))
        slipped = value + delta * rng.choice(places)
        if slipped > 0 and slipped != value:
            return slipped
