"""Procedural word problems of one to four steps: unlimited, seeded, with solution and plan.

Splits are disjoint by *structure*, the sequence of sentence forms: a hash of the structure decides
its split. Every single form occurs in training, but no structure of the test split does. The split
"sealed" has the structures of "test" in other problems, which nobody plays during development:
what is published is measured on it, once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from econ_env.questions.arithmetic_plots import OPERATIONS, Plot, draw_plot
from econ_env.questions.arithmetic_steps import Step, render_solution
from econ_env.questions.arithmetic_templates import ITEMS, NAMES, Form, Operation
from econ_env.questions.base import Question, QuestionError
from econ_env.seeds import derive_seed

Split = Literal["train", "validation", "test", "sealed"]
StructureSplit = Literal["train", "validation", "test"]

MAX_VALUE = 1999
"""Largest result: small models can learn such calculations, yet make slips in them."""

CHAIN_RATE = 0.2
"""Share of chains among the problems with enough steps for one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A word problem with its worked steps and its structure."""

    text: str
    steps: tuple[Step, ...]
    structure: tuple[str, ...]

    @property
    def answer(self) -> int:
        """The gold answer."""
        return self.steps[-1].result

    @property
    def plan(self) -> str:
        """The correct strategy: the operations in their order, without any result."""
        return ", ".join(step.operation for step in self.steps)

    @property
    def solution(self) -> str:
        """The worked steps, without partial products, and the boxed answer."""
        return render_solution(list(map(str, self.steps)), self.answer)


def structure_split(structure: Sequence[str]) -> StructureSplit:
    """The split of a structure, by hash: 80% train, 10% validation, 10% test."""
    bucket = derive_seed("structure", *structure) % 10
    return "test" if bucket == 0 else "validation" if bucket == 1 else "train"


class ArithmeticQuestions:
    """A seeded, index-addressable stream of word problems.

    Args:
        split: "train", "validation" or "test", disjoint in their structures; or "sealed", other
            problems with structures of "test", kept for the last measurement.
        steps: numbers of calculations per problem, each between 1 and 4, drawn equally often.
        seed: seed of the problems; another seed gives other problems of the same split.
        size: length that the source reports; every index below it is valid.
        chain_rate: share of chains, problems of sentences such as "Ann has 3 fewer pens than Ben"
            in any order, so that the solver has to find the first one.
        shortest_chain: minimum number of relations of a chain. A single relation is not a chain,
            but it teaches the meaning of relations.

    Raises:
        QuestionError: the split is unknown or an argument is out of its range.
    """

    name = "arithmetic"

    def __init__(
        self,
        *,
        split: str = "test",
        steps: Sequence[int] = (1, 2, 3, 4),
        seed: int = 0,
        size: int = 100_000,
        chain_rate: float = CHAIN_RATE,
        shortest_chain: int = 2,
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
        if not 0 <= chain_rate <= 1:
            raise QuestionError(
                f"arithmetic: chain_rate must be a share in [0, 1], got {chain_rate}."
            )
        self.split = split
        self.chain_rate = chain_rate
        self.shortest_chain = shortest_chain
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
        structures = "test" if self.split == "sealed" else self.split
        while True:
            plot = draw_plot(
                rng, count, chain_rate=self.chain_rate, shortest_chain=self.shortest_chain
            )
            if structure_split(plot.structure) != structures:
                continue
            problem = _tell(rng, plot)
            if problem is not None:
                return problem


def _divisor(rng: random.Random, value: int) -> int:
    """A small divisor of ``value``; 2 if there is none, which makes the story unsound."""
    return rng.choice([divisor for divisor in range(2, 13) if value % divisor == 0] or [2])


def _factor(rng: random.Random, value: int) -> int:
    """A factor that rarely makes ``value`` too large."""
    return rng.randint(2, max(3, min(29, MAX_VALUE // max(value, 1))))


_NUMBERS: dict[str, Callable[[random.Random, int], tuple[int, int]]] = {
    "set": lambda rng, value: (rng.randint(5, 299), 0),
    "unknown": lambda rng, value: (rng.randint(5, 299), 0),
    "ask_first": lambda rng, value: (value, 0),
    "none": lambda rng, value: (rng.randint(6, 60), 0),
    "add": lambda rng, value: (rng.randint(2, 299), 0),
    "subtract": lambda rng, value: (rng.randint(2, max(2, min(299, value - 1))), 0),
    "multiply": lambda rng, value: (_factor(rng, value), 0),
    "divide": lambda rng, value: (_divisor(rng, value), 0),
    "double": lambda rng, value: (2, 0),
    "half": lambda rng, value: (2, 0),
    "third": lambda rng, value: (3, 0),
    "product": lambda rng, value: (rng.randint(3, 39), rng.randint(6, 49)),
    "sum": lambda rng, value: (rng.randint(5, 299), rng.randint(5, 299)),
    "add_packs": lambda rng, value: (rng.randint(2, 19), rng.randint(3, 39)),
    "give_each": lambda rng, value: (rng.randint(2, 12), rng.randint(2, 25)),
    "need": lambda rng, value: (value + rng.randint(3, 299), 0),
    "price": lambda rng, value: (_factor(rng, value), 0),
}
"""Functions that draw the numbers (b, c) of a form, given the running value, by effect."""


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
        """Apply the event of ``form`` with its numbers to the running value."""
        if form.moves:
            self.value_of_previous_person = self.value
        operations = OPERATIONS[form.effect]
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
        """Work back from the known end to the beginning: the inverse changes, last one first."""
        self.steps = []
        for operations, b, c in reversed(self._changes):
            self._change((*operations[:-1], _INVERSE[operations[-1]]), b, c)

    @property
    def is_sound(self) -> bool:
        """True if all results are whole, positive and not too large."""
        return all(0 < step.result <= MAX_VALUE for step in self.steps)


def _tell(rng: random.Random, plot: Plot) -> Problem | None:
    """Choose names and numbers and write the story; None if the results are not sound."""
    people = rng.sample(NAMES, len(plot.forms) + 1)
    items, other = rng.sample(ITEMS, 2)
    actor = previous = people.pop()
    calculation = _Calculation()
    sentences: list[str] = []
    for form in plot.forms:
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
        text=" ".join(sentences[index] for index in plot.told),
        steps=tuple(calculation.steps),
        structure=plot.structure,
    )
