"""Training examples of the three roles, made with the prompts of the game.

An example is a prompt and the reply that should follow. All that is random in it comes from the
random generator that is passed in.
"""

from __future__ import annotations

import json
import operator
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from econ_env.game.prompts import COMPACT
from econ_env.llm.types import Message
from econ_env.questions.arithmetic import MAX_VALUE, Problem
from econ_env.questions.arithmetic_steps import Step, render_solution
from econ_env.questions.arithmetic_templates import SYMBOLS, Operation

EMPTY_PLAN_RATE, WRONG_PLAN_RATE = 0.35, 0.25
NO_LAST_RATE, WRONG_LAST_RATE = 0.7, 0.18

_BOX = re.compile(r"\\boxed\{([^{}]*)\}")
_CALCULATION = re.compile(r"\s*\d+ ([-+*/]) \d+ =")
_NAMES: dict[str, Operation] = {symbol: operation for operation, symbol in SYMBOLS.items()}
_APPLY: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A prompt and the reply to learn."""

    messages: tuple[Message, ...]
    reply: str


def calculation_example(rng: random.Random) -> Example:
    """Make one bare calculation, the cheapest way, in tokens, to teach arithmetic."""
    operation = rng.choice(get_args(Operation))
    small = rng.randint(2, 29)
    other = rng.randint(2, MAX_VALUE // small)
    first, second = sorted((rng.randint(1, MAX_VALUE), rng.randint(1, 299)), reverse=True)
    left, right, result = {
        "add": (first - second, second, first),
        "subtract": (first, second, first - second),
        "multiply": (*rng.sample((small, other), 2), small * other),
        "divide": (small * other, small, other),
    }[operation]
    if min(left, right, result) < 1:
        return calculation_example(rng)
    step = Step(left=left, operation=operation, right=right, result=result)
    question = f"What is {left} {SYMBOLS[operation]} {right}?"
    return Example(
        messages=COMPACT.execute(question, "" if rng.random() < 0.5 else operation),
        reply=render_solution([rng.choice(step.workings)], result),
    )


def strategy_example(rng: random.Random, problem: Problem) -> Example:
    """Make an example of a plan: a global one, or a local one from a plan that may be wrong."""
    if rng.random() < 0.25:
        given = problem.plan if rng.random() < 0.6 else wrong_plan(rng, problem.plan)
        return Example(messages=COMPACT.local_strategy(problem.text, given), reply=problem.plan)
    return Example(messages=COMPACT.strategy(problem.text), reply=problem.plan)


def execute_example(rng: random.Random, problem: Problem) -> Example:
    """Make an example of a worked solution; plan and last commitment may be wrong or absent."""
    draw = rng.random()
    if draw < EMPTY_PLAN_RATE:
        plan = ""
    elif draw < EMPTY_PLAN_RATE + WRONG_PLAN_RATE:
        plan = wrong_plan(rng, problem.plan)
    else:
        plan = problem.plan
    draw = rng.random()
    if draw < NO_LAST_RATE:
        last = None
    elif draw < NO_LAST_RATE + WRONG_LAST_RATE:
        last = wrong_value(rng, problem)
    else:
        last = str(problem.answer)
    return Example(messages=COMPACT.execute(problem.text, plan, last), reply=solution(rng, problem))


def solution(rng: random.Random, problem: Problem) -> str:
    """Write the worked steps, each in one of its possible forms, and the boxed answer."""
    return render_solution([rng.choice(step.workings) for step in problem.steps], problem.answer)


def checked_work(rng: random.Random, problem: Problem, responses: Sequence[str]) -> str:
    """Write the worked steps, each in the form of a response that got it right, if there is one."""
    seen = {piece.strip() for response in responses for piece in response.split(";")}
    return " ; ".join(
        rng.choice([way for way in step.workings if way in seen] or step.workings)
        for step in problem.steps
    )


def commit_example(
    rng: random.Random, problem: Problem, plan: str, responses: Sequence[str]
) -> Example:
    """Make an example of the right commitment over ``responses``.

    The reason works the question once more and comes before the value. The confidence is the
    share of responses whose answer is the value. The checklist says whether all responses agree
    and whether every calculation in them is right.
    """
    gold = str(problem.answer)
    answers = [boxed_answer(response) for response in responses]
    reply = {
        "reason": checked_work(rng, problem, responses),
        "value": gold,
        "confidence": round(answers.count(gold) / len(answers), 2),
        "checklist": {
            "agree": None not in answers and len(set(answers)) == 1,
            "arithmetic": all(map(arithmetic_is_right, responses)),
            "units": True,
        },
    }
    return Example(messages=COMPACT.commit(problem.text, plan, responses), reply=json.dumps(reply))


def boxed_answer(response: str) -> str | None:
    """Content of the last box; the bundled models' own replies need no more than that."""
    boxes = _BOX.findall(response)
    return boxes[-1] if boxes else None


def _value(expression: str) -> Fraction | None:
    """Evaluate whole numbers joined by operations, from left to right; None for other texts."""
    numbers, symbols = expression.split()[::2], expression.split()[1::2]
    if len(numbers) != len(symbols) + 1 or not all(map(str.isdecimal, numbers)):
        return None
    value = Fraction(numbers[0])
    for symbol, number in zip(symbols, map(int, numbers[1:]), strict=True):
        if symbol not in _APPLY or (symbol == "/" and number == 0):
            return None
        value = _APPLY[symbol](value, Fraction(number))
    return value


def arithmetic_is_right(response: str) -> bool:
    """Return True if all sides of every ``a op b = ... = c`` in ``response`` are equal."""
    for piece in response.split(";"):
        sides = {_value(side) for side in piece.split("=")}
        if "=" in piece and (len(sides) > 1 or None in sides):
            return False
    return True


def operations_of(response: str) -> list[Operation]:
    """Operations of the calculations in ``response``, in their order."""
    found = (_CALCULATION.match(piece) for piece in response.split(";"))
    return [_NAMES[match.group(1)] for match in found if match]


def wrong_plan(rng: random.Random, plan: str) -> str:
    """Make a plan unlike ``plan``: one operation replaced, dropped or added, or all shuffled."""
    operations = plan.split(", ")
    place = rng.randrange(len(operations))
    kind = rng.random()
    changed = list(operations)
    if kind < 0.6:
        changed[place] = rng.choice([o for o in get_args(Operation) if o != operations[place]])
    elif kind < 0.75 and len(operations) > 1:
        del changed[place]
    elif kind < 0.9:
        changed.insert(place, rng.choice(get_args(Operation)))
    else:
        rng.shuffle(changed)
    if changed == operations:
        changed.append(rng.choice(get_args(Operation)))
    return ", ".join(changed)


def wrong_value(rng: random.Random, problem: Problem) -> str:
    """Draw a plausible wrong answer: an intermediate result, or a slip."""
    slips = {problem.answer + delta for delta in (-10, -2, -1, 1, 2, 10, 100)}
    candidates = {step.result for step in problem.steps} | slips
    return str(rng.choice(sorted(v for v in candidates if v > 0 and v != problem.answer)))
