"""The questions of the simulated models: a small finite pool of three kinds.

Every kind has one fixed wording, so that a simulated model can read kind and numbers from the
question alone, and an agent can see the kind in the question's embedding. Every question has one
correct solution, one *misconception* (the obvious wrong solution, the same for all executors) and
:data:`SLIPS` *slips* (solutions with an arithmetic slip, all different). Executors give no other
responses to the question, so exact expectations are small sums and embedding caches stay warm.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Literal

import numpy as np

from econ_env.questions.base import Question
from econ_env.seeds import derive_seed

Split = Literal["train", "test"]

SLIPS = 5
"""Number of independent wrong solutions of a question (m in the equations)."""
MAX_SIZE = 1200
"""Maximum number of questions of a pool: a split has not many more of one kind."""
CORRECT, MISCONCEPTION, FIRST_SLIP = 0, 1, 2
"""Indices into :attr:`SimulatedTask.solutions`; slips go from FIRST_SLIP to OUTCOMES - 1."""
OUTCOMES = FIRST_SLIP + SLIPS
"""Number of different solutions of a question."""

Worked = tuple[str, int]
"""Worked steps and their final value."""


def _restock(a: int, b: int, c: int, slip: int) -> Worked:
    first = a * b + slip
    return f"{a} * {b} = {first} ; {first} + {c} = {first + c}", first + c


def _restock_misconception(a: int, b: int, c: int) -> Worked:
    """Add up all the numbers."""
    return f"{a} + {b} = {a + b} ; {a + b} + {c} = {a + b + c}", a + b + c


def _budget(a: int, b: int, c: int, slip: int) -> Worked:
    first = b * c + slip
    return f"{b} * {c} = {first} ; {a} - {first} = {a - first}", a - first


def _budget_misconception(a: int, b: int, c: int) -> Worked:
    """Subtract the price once, not for each book."""
    return f"{a} - {b} = {a - b} ; {a - b} - {c} = {a - b - c}", a - b - c


def _rate(a: int, b: int, c: int, slip: int) -> Worked:
    first = a // b + slip
    return f"{a} / {b} = {first} ; {first} * {c} = {first * c}", first * c


def _rate_misconception(a: int, b: int, c: int) -> Worked:
    """Add the difference instead of multiplying by the ratio."""
    return f"{c} - {b} = {c - b} ; {a} + {c - b} = {a + c - b}", a + c - b


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionKind:
    """One kind of question: its wording and its solutions."""

    name: str
    wording: str
    """Text of the question with the places {a}, {b} and {c}."""
    plan: str
    """The operations in order, as in a coordinator's strategy."""
    work: Callable[[int, int, int, int], Worked]
    """Function of (a, b, c, slip) for the solution with that slip in step one; 0 is correct."""
    misconception: Callable[[int, int, int], Worked]
    pattern: re.Pattern[str]
    """Pattern that matches exactly the texts of the wording."""


def _kind(
    name: str,
    wording: str,
    plan: str,
    work: Callable[[int, int, int, int], Worked],
    misconception: Callable[[int, int, int], Worked],
) -> QuestionKind:
    number = r"(?P<{}>[1-9][0-9]{{0,5}})"
    pattern = re.escape(wording)
    for place in "abc":
        pattern = pattern.replace(re.escape("{" + place + "}"), number.format(place))
    return QuestionKind(
        name=name,
        wording=wording,
        plan=plan,
        work=work,
        misconception=misconception,
        pattern=re.compile(pattern),
    )


KINDS: tuple[QuestionKind, ...] = (
    _kind(
        "restock",
        "A shop orders {a} boxes of {b} pens and {c} single pens. How many pens does it order?",
        "multiply, then add",
        _restock,
        _restock_misconception,
    ),
    _kind(
        "budget",
        "Nora has {a} dollars and buys {b} books for {c} dollars each. How much money is left?",
        "multiply, then subtract",
        _budget,
        _budget_misconception,
    ),
    _kind(
        "rate",
        "A machine makes {a} parts in {b} hours. How many parts does it make in {c} hours?",
        "divide, then multiply",
        _rate,
        _rate_misconception,
    ),
)
"""The kinds, in the order of skill tables and type-aware profiles."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedTask:
    """A question worked out from its text."""

    kind: int
    """Index into :data:`KINDS`."""
    plan: str
    solutions: tuple[str, ...]
    """OUTCOMES different responses of worked steps and a boxed answer: the correct one, the
    misconception, the slips."""
    answers: tuple[str, ...]
    """The boxed answer of each solution; all different."""


@lru_cache(maxsize=8192)
def read_task(text: str) -> SimulatedTask | None:
    """Work out a question from its text; None if it is not one of the simulated kinds.

    The result is None, too, if the numbers do not make a sound question (a division with
    remainder, a debt, a misconception that happens to be right).
    """
    for index, kind in enumerate(KINDS):
        match = kind.pattern.fullmatch(text)
        if match is not None:
            return _work_out(index, *(int(match[place]) for place in "abc"))
    return None


def _work_out(index: int, a: int, b: int, c: int) -> SimulatedTask | None:
    kind = KINDS[index]
    if kind.name == "rate" and (a % b != 0 or c <= b):
        return None
    worked = [kind.work(a, b, c, 0), kind.misconception(a, b, c)]
    values = [value for _, value in worked]
    if min(values) <= 0 or values[0] == values[1]:
        return None
    slip_sizes = (sign * size for size in count(1) for sign in (1, -1))
    while len(worked) < OUTCOMES:
        steps, value = kind.work(a, b, c, next(slip_sizes))
        if value not in values:
            worked.append((steps, value))
            values.append(value)
    return SimulatedTask(
        kind=index,
        plan=kind.plan,
        solutions=tuple(f"{steps} ; \\boxed{{{value}}}" for steps, value in worked),
        answers=tuple(str(value) for value in values),
    )


class SimulatedQuestions:
    """A finite pool of questions of the three kinds, which take turns (index mod 3).

    Equal arguments give equal questions on every machine. No question of one split occurs in the
    other, for any seeds: the sum of its numbers decides its split.

    Args:
        split: ``"train"`` or ``"test"``; environments play ``"test"`` by default.
        size: number of questions, 1 to MAX_SIZE.
        seed: seed of the questions.

    Raises:
        ValueError: the split is unknown or the size is out of range.
    """

    def __init__(self, split: Split = "test", *, size: int = 450, seed: int = 0) -> None:
        if split not in ("train", "test"):
            raise ValueError(f"split must be 'train' or 'test', not {split!r}")
        if not 1 <= size <= MAX_SIZE:
            raise ValueError(f"size must be in 1..{MAX_SIZE}, not {size}")
        self.name = f"simulated/{split}"
        self._questions = tuple(_draw(split, size, seed))

    def __len__(self) -> int:
        """Number of questions."""
        return len(self._questions)

    def __getitem__(self, index: int) -> Question:
        """Question number ``index``."""
        return self._questions[index]


def _draw(split: Split, size: int, seed: int) -> list[Question]:
    bits = np.random.PCG64(derive_seed(seed, "simulated questions", split))
    questions: dict[str, Question] = {}
    while len(questions) < size:
        kind = KINDS[len(questions) % len(KINDS)]
        a, b, c = _numbers(kind.name, [int(word) for word in bits.random_raw(3)])
        text = kind.wording.format(a=a, b=b, c=c)
        task = read_task(text)
        in_test = (a + b + c) % 4 == 0
        if task is not None and in_test == (split == "test") and text not in questions:
            questions[text] = Question(
                id=f"simulated/{kind.name}:{a},{b},{c}",
                text=text,
                gold=task.answers[CORRECT],
                kind=kind.name,
            )
    return list(questions.values())


def _numbers(kind: str, words: list[int]) -> tuple[int, int, int]:
    """Numbers of a plausible size for a question, from three random 64-bit words."""
    x, y, z = words
    if kind == "restock":
        return 3 + x % 28, 3 + y % 18, 2 + z % 60
    if kind == "budget":
        each, pieces = 3 + y % 10, 3 + z % 10
        return each * pieces + 30 + x % 60, each, pieces
    hours = 2 + y % 8
    return hours * (5 + x % 36), hours, hours + 1 + z % 8
