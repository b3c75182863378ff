"""Plots of word problems: their sentences, and the order in which these are told."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from econ_env.questions.arithmetic_templates import (
    EVENTS,
    OPENINGS,
    QUESTIONS,
    RELATIONS,
    Form,
    Operation,
)

OPERATIONS: dict[str, tuple[Operation, ...]] = {
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
"""The calculations that a form stands for, in the order in which they are worked out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """The forms of a problem in the order of events, and the order of telling."""

    forms: tuple[Form, ...]
    told: tuple[int, ...]
    """Indices into ``forms`` in the order of telling."""

    @property
    def structure(self) -> tuple[str, ...]:
        """The ids of the forms in the order of telling."""
        return tuple(self.forms[index].id for index in self.told)


@lru_cache(maxsize=8)
def _event_choices(operations: int, backward: bool) -> tuple[Form, ...]:
    """Events with 1 to ``operations`` calculations; irrelevant facts are drawn separately.

    A story that is told backward stays with one person.
    """
    return tuple(
        form
        for form in EVENTS
        if 1 <= len(OPERATIONS[form.effect]) <= operations and not (backward and form.moves)
    )


_DISTRACTIONS = tuple(form for form in EVENTS if form.effect == "none")
_DISTRACTION_RATE = 0.4
_BACKWARD_RATE = 0.3
"""Share of the problems that tell the end and ask for the beginning."""
_FORWARD_OPENINGS = tuple(form for form in OPENINGS if form.effect != "unknown")
_FORWARD_QUESTIONS = tuple(form for form in QUESTIONS if form.effect != "ask_first")
_BACKWARD_OPENINGS = tuple(form for form in OPENINGS if form.effect == "unknown")
_BACKWARD_QUESTIONS = tuple(form for form in QUESTIONS if form.effect == "ask_first")
_CHAIN_OPENINGS = tuple(form for form in OPENINGS if form.effect == "set")
_CHAIN_QUESTIONS = tuple(form for form in QUESTIONS if form.effect == "ask")


def draw_plot(rng: random.Random, steps: int, *, chain_rate: float, shortest_chain: int) -> Plot:
    """A plot with exactly ``steps`` calculations, with probability ``chain_rate`` a chain.

    A chain has ``steps`` relations and is drawn only if these are at least ``shortest_chain``.
    """
    if chain_rate > 0 and rng.random() < chain_rate and steps >= shortest_chain:
        return _draw_chain(rng, steps)
    forms = _draw_story(rng, steps)
    return Plot(forms=tuple(forms), told=tuple(range(len(forms))))


def _draw_chain(rng: random.Random, steps: int) -> Plot:
    """A plot of comparisons between people, told in any order."""
    forms = [rng.choice(_CHAIN_OPENINGS)]
    forms += [rng.choice(RELATIONS) for _ in range(steps)]
    forms.append(rng.choice(_CHAIN_QUESTIONS))
    told = list(range(steps + 1))
    rng.shuffle(told)
    return Plot(forms=tuple(forms), told=(*told, steps + 1))


def _draw_story(rng: random.Random, steps: int) -> list[Form]:
    """Opening, events and question with exactly ``steps`` calculations in total."""
    while True:
        backward = rng.random() < _BACKWARD_RATE
        opening = rng.choice(_BACKWARD_OPENINGS if backward else _FORWARD_OPENINGS)
        question = rng.choice(_BACKWARD_QUESTIONS if backward else _FORWARD_QUESTIONS)
        remaining = steps - sum(len(OPERATIONS[form.effect]) for form in (opening, question))
        if remaining < 0:
            continue
        events: list[Form] = []
        while remaining:
            event = rng.choice(_event_choices(remaining, backward))
            events.append(event)
            remaining -= len(OPERATIONS[event.effect])
        if question.effect == "total" and not (events and events[-1].moves):
            continue
        if rng.random() < _DISTRACTION_RATE:
            # Before the last event, so that "together" still speaks of the last two people.
            events.insert(rng.randrange(max(len(events), 1)), rng.choice(_DISTRACTIONS))
        return [opening, *events, question]
