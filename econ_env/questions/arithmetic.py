"""Procedural word problems of one to four steps: unlimited, seeded, with solution and plan.

Splits are disjoint by *structure*, the sequence of sentence forms: a hash of the structure says
to which split it belongs. Every single form occurs in training; the combinations of the test
split never do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from econ_env.questions.arithmetic_templates import (
    EVENTS,
    ITEMS,
    NAMES,
    OPENINGS,
    QUESTIONS,
    SYMBOLS,
    Form,
    Operation,
)
from econ_env.questions.base import Question, QuestionError
from econ_env.seeds import derive_seed

Split = Literal["train", "validation", "test"]

MAX_VALUE = 2999
"""No intermediate value is larger, so that the difficulty lies in the story."""

_OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "set": (),
    "unknown": (),
    "ask_first": (),
    "none": (),
    "ask": (),
    "add": ("add",),
    "subtract": ("subtract",),
    "multiply": ("multiply",),
    "divide": ("divide",),
    "double": ("multiply",),
    "half": ("divide",),
    "third": ("divide",),
    "product": ("multiply",),
    "sum": ("add",),
    "add_packs": ("multiply", "add"),
    "give_each": ("multiply", "subtract"),
    "total": ("add",),
    "need": ("subtract",),
    "price": ("multiply",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One calculation of a worked solution: ``left operation right = result``, all integers."""

    left: int
    operation: Operation
    right: int
    result: int

    def __str__(self) -> str:
        return f"{self.left} {SYMBOLS[self.operation]} {self.right} = {self.result}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A word problem with everything that is known about it."""

    text: str
    steps: tuple[Step, ...]
    structure: tuple[str, ...]

    @property
    def answer(self) -> int:
        """The gold answer."""
        return self.steps[-1].result

    @property
    def plan(self) -> str:
        """The correct strategy: which operations in which order, without any result."""
        return ", ".join(step.operation for step in self.steps)

    @property
    def solution(self) -> str:
        """The worked steps and the boxed answer, as the bundled models write them."""
        return render_solution(self.steps)


def render_solution(steps: Sequence[Step]) -> str:
    """Worked steps as one line, the last result boxed."""
    work = " ; ".join(map(str, steps))
    return f"{work} ; \\boxed{{{steps[-1].result}}}"


def structure_split(structure: Sequence[str]) -> Split:
    """The split a structure belongs to: 80% train, 10% validation, 10% test, by hash."""
    bucket = derive_seed("structure", *structure) % 10
    return "test" if bucket == 0 else "validation" if bucket == 1 else "train"


class ArithmeticQuestions:
    """A seeded, index-addressable stream of word problems.

    Args:
        split: "train", "validation" or "test"; disjoint in their structures.
        steps: the numbers of calculations that occur, each between 1 and 4, equally often.
        seed: another seed gives other problems of the same split.
        size: the length that the source reports; any index below it can be asked for.

    Raises:
        QuestionError: for an unknown split or a number of steps outside 1 to 4.
    """

    name = "arithmetic"

    def __init__(
        self,
        *,
        split: str = "test",
        steps: Sequence[int] = (1, 2, 3, 4),
        seed: int = 0,
        size: int = 100_000,
    ) -> None:
        if split not in get_args(Split):
            raise QuestionError(
                f"arithmetic: unknown split {split!r}; there are {', '.join(get_args(Split))}."
            )
        if not steps or not all(1 <= count <= 4 for count in steps):
            raise QuestionError(
                f"arithmetic: steps={tuple(steps)!r}, but each must lie between 1 and 4."
            )
        if size < 1:
            raise QuestionError(f"arithmetic: size={size}, but at least one question is needed.")
        self.split = split
        self.steps = tuple(steps)
        self.seed = seed
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Question:
        if not 0 <= index < self.size:
            raise IndexError(f"arithmetic: question {index} of {self.size}")
        problem = self.problem(index)
        return Question(
            id=f"arithmetic-{self.split}-{self.seed}-{index}",
            text=problem.text,
            gold=str(problem.answer),
            kind=f"{len(problem.steps)}-step",
        )

    def problem(self, index: int) -> Problem:
        """Problem ``index`` with its solution, plan and structure; a function of the seed."""
        rng = random.Random(derive_seed("arithmetic", self.split, self.seed, index))
        count = rng.choice(self.steps)
        while True:
            forms = _draw_forms(rng, count)
            if structure_split([form.id for form in forms]) != self.split:
                continue
            problem = _tell(rng, forms)
            if problem is not None:
                return problem


@lru_cache(maxsize=8)
def _event_choices(operations: int, backward: bool) -> tuple[Form, ...]:
    """Events with at most this many calculations; irrelevant facts come separately.

    A story that is told backward stays with one person.
    """
    return tuple(
        form
        for form in EVENTS
        if 1 <= len(_OPERATIONS[form.effect]) <= operations and not (backward and form.moves)
    )


_DISTRACTIONS = tuple(form for form in EVENTS if form.effect == "none")
_DISTRACTION_RATE = 0.4
_BACKWARD_RATE = 0.3
"""Share of the problems that tell the end and ask for the beginning."""
_FORWARD_OPENINGS = tuple(form for form in OPENINGS if form.effect != "unknown")
_FORWARD_QUESTIONS = tuple(form for form in QUESTIONS if form.effect != "ask_first")
_BACKWARD_OPENINGS = tuple(form for form in OPENINGS if form.effect == "unknown")
_BACKWARD_QUESTIONS = tuple(form for form in QUESTIONS if form.effect == "ask_first")


def _draw_forms(rng: random.Random, steps: int) -> list[Form]:
    """Opening, events and question with exactly ``steps`` calculations together."""
    while True:
        backward = rng.random() < _BACKWARD_RATE
        opening = rng.choice(_BACKWARD_OPENINGS if backward else _FORWARD_OPENINGS)
        question = rng.choice(_BACKWARD_QUESTIONS if backward else _FORWARD_QUESTIONS)
        remaining = steps - sum(len(_OPERATIONS[form.effect]) for form in (opening, question))
        if remaining < 0:
            continue
        events: list[Form] = []
        while remaining:
            event = rng.choice(_event_choices(remaining, backward))
            events.append(event)
            remaining -= len(_OPERATIONS[event.effect])
        if question.effect == "total" and not (events and events[-1].moves):
            continue
        if rng.random() < _DISTRACTION_RATE:
            # Before the last event, so that "together" still speaks of the last two people.
            events.insert(rng.randrange(max(len(events), 1)), rng.choice(_DISTRACTIONS))
        return [opening, *events, question]


def _divisor(rng: random.Random, value: int) -> int:
    """A small divisor of ``value``; 2 where there is none, and the story is told anew."""
    return rng.choice([divisor for divisor in range(2, 13) if value % divisor == 0] or [2])


_NUMBERS: dict[str, Callable[[random.Random, int], tuple[int, int]]] = {
    "set": lambda rng, value: (rng.randint(5, 299), 0),
    "unknown": lambda rng, value: (rng.randint(5, 299), 0),
    "ask_first": lambda rng, value: (value, 0),
    "none": lambda rng, value: (rng.randint(6, 60), 0),
    "add": lambda rng, value: (rng.randint(2, 199), 0),
    "subtract": lambda rng, value: (rng.randint(2, max(2, min(199, value - 1))), 0),
    "multiply": lambda rng, value: (rng.randint(2, 12), 0),
    "divide": lambda rng, value: (_divisor(rng, value), 0),
    "double": lambda rng, value: (2, 0),
    "half": lambda rng, value: (2, 0),
    "third": lambda rng, value: (3, 0),
    "product": lambda rng, value: (rng.randint(2, 12), rng.randint(3, 40)),
    "sum": lambda rng, value: (rng.randint(5, 299), rng.randint(5, 299)),
    "add_packs": lambda rng, value: (rng.randint(2, 12), rng.randint(2, 25)),
    "give_each": lambda rng, value: (rng.randint(2, 12), rng.randint(2, 25)),
    "need": lambda rng, value: (value + rng.randint(3, 199), 0),
    "price": lambda rng, value: (rng.randint(2, 12), 0),
}
"""How the numbers (b, c) of a form are drawn, given the running value."""


_INVERSE: dict[Operation, Operation] = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "divide",
    "divide": "multiply",
}


class _Calculation:
    """The running value of a story and the steps that led to it."""

    def __init__(self) -> None:
        self.value = 0
        self.value_of_previous_person = 0
        self.steps: list[Step] = []
        self._changes: list[tuple[tuple[Operation, ...], int, int]] = []

    def _work_out(self, left: int, operation: Operation, right: int) -> int:
        results = {
            "add": left + right,
            "subtract": left - right,
            "multiply": left * right,
            "divide": left // right if left % right == 0 else -1,
        }
        step = Step(left=left, operation=operation, right=right, result=results[operation])
        self.steps.append(step)
        return step.result

    def apply(self, form: Form, b: int, c: int) -> None:
        """Let the event of ``form`` happen with its numbers."""
        if form.moves:
            self.value_of_previous_person = self.value
        operations = _OPERATIONS[form.effect]
        if form.effect in ("set", "unknown"):
            self.value = b
        elif form.effect == "ask_first":
            self._go_back()
        elif form.effect in ("product", "sum"):
            self.value = self._work_out(b, operations[0], c)
        elif form.effect == "need":
            self.value = self._work_out(b, "subtract", self.value)
        elif form.effect == "total":
            self.value = self._work_out(self.value_of_previous_person, "add", self.value)
        elif operations:
            self._changes.append((operations, b, c))
            self._change(operations, b, c)

    def _change(self, operations: tuple[Operation, ...], b: int, c: int) -> None:
        """Change the running value by ``b``, or by ``b * c`` where there are two operations."""
        amount = self._work_out(b, operations[0], c) if len(operations) == 2 else b
        self.value = self._work_out(self.value, operations[-1], amount)

    def _go_back(self) -> None:
        """Work from the told end back to the beginning: the inverse changes, last one first."""
        self.steps = []
        for operations, b, c in reversed(self._changes):
            self._change((*operations[:-1], _INVERSE[operations[-1]]), b, c)

    @property
    def is_sound(self) -> bool:
        """All results are whole, positive and not too large."""
        return all(0 < step.result <= MAX_VALUE for step in self.steps)


def _tell(rng: random.Random, forms: Sequence[Form]) -> Problem | None:
    """Choose names and numbers and write the story; None where the numbers do not work out."""
    people = rng.sample(NAMES, len(forms) + 1)
    items, other = rng.sample(ITEMS, 2)
    actor = previous = people.pop()
    calculation = _Calculation()
    sentences: list[str] = []
    for form in forms:
        mate = previous if form.effect == "total" else people.pop()
        draw = _NUMBERS.get(form.effect)
        b, c = draw(rng, calculation.value) if draw else (0, 0)
        calculation.apply(form, b, c)
        if not calculation.is_sound:
            return None
        sentences.append(form.text.format(A=actor, M=mate, b=b, c=c, items=items, other=other))
        if form.moves:
            actor, previous = mate, actor
    return Problem(
        text=" ".join(sentences),
        steps=tuple(calculation.steps),
        structure=tuple(form.id for form in forms),
    )
