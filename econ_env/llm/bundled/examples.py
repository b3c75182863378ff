"""Training examples of the three roles, made with the very prompts of the game.

An example is a prompt and the reply that should follow. Whatever is random in it is a function
of the random generator that is passed in.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from econ_env.llm.types import Message
from econ_env.prompts import COMPACT
from econ_env.questions.arithmetic import Problem
from econ_env.questions.arithmetic_templates import SYMBOLS, Operation

EMPTY_PLAN_RATE, WRONG_PLAN_RATE = 0.35, 0.25
NO_LAST_RATE, WRONG_LAST_RATE = 0.7, 0.18

_BOX = re.compile(r"\\boxed\{([^{}]*)\}")
_CALCULATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A prompt and the reply to learn."""

    messages: tuple[Message, ...]
    reply: str


def strategy_example(rng: random.Random, problem: Problem) -> Example:
    """The coordinator's plan; sometimes asked as a local one, from a plan that may be wrong."""
    if rng.random() < 0.25:
        given = problem.plan if rng.random() < 0.6 else wrong_plan(rng, problem.plan)
        return Example(messages=COMPACT.local_strategy(problem.text, given), reply=problem.plan)
    return Example(messages=COMPACT.strategy(problem.text), reply=problem.plan)


def execute_example(rng: random.Random, problem: Problem) -> Example:
    """The worked solution, whether the plan and the last commitment are right, wrong or absent."""
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
    return Example(messages=COMPACT.execute(problem.text, plan, last), reply=problem.solution)


def commit_example(problem: Problem, plan: str, responses: Sequence[str]) -> Example:
    """The right commitment over ``responses``.

    The reason, the question worked once more, comes before the value. The confidence is the
    share of responses whose answer is the value; the checklist says whether all responses agree
    and whether every calculation in them is right.
    """
    gold = str(problem.answer)
    answers = [boxed_answer(response) for response in responses]
    reply = {
        "reason": " ; ".join(map(str, problem.steps)),
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
    """The content of the last box; the bundled models' own replies need no more than that."""
    boxes = _BOX.findall(response)
    return boxes[-1] if boxes else None


def arithmetic_is_right(response: str) -> bool:
    """Whether every calculation ``a op b = c`` in ``response`` holds."""
    for left, symbol, right, result in _CALCULATION.findall(response):
        a, b = Fraction(left), Fraction(right)
        if symbol == "/" and b == 0:
            return False
        value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[symbol]
        if value != int(result):
            return False
    return True


def operations_of(response: str) -> list[Operation]:
    """The operations of the calculations in ``response``, in their order."""
    names = {symbol: operation for operation, symbol in SYMBOLS.items()}
    return [names[symbol] for _, symbol, _, _ in _CALCULATION.findall(response)]


def wrong_plan(rng: random.Random, plan: str) -> str:
    """A plan that differs from ``plan``: an operation replaced, dropped, doubled or swapped."""
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
    """A wrong answer of the kind that is really made: an intermediate result or a slip."""
    slips = {problem.answer + delta for delta in (-10, -2, -1, 1, 2, 10, 100)}
    candidates = {step.result for step in problem.steps} | slips
    return str(rng.choice(sorted(v for v in candidates if v > 0 and v != problem.answer)))
