"""The sentences of the procedural word problems.

A problem is an opening sentence, some events and a closing question. Every sentence form has an
id; the sequence of ids is the *structure* of a problem. A form says how it changes the running
value ``x`` (the number of items the story is about at that moment), so that a problem, its
solution and its plan are always made from the same facts.

Placeholders: ``{A}`` is the current person of the story, ``{M}`` another person, ``{b}`` and
``{c}`` are numbers, ``{items}`` and ``{other}`` things.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operation = Literal["add", "subtract", "multiply", "divide"]

SYMBOLS: dict[Operation, str] = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One sentence form.

    ``effect`` names the change of the running value:

    ========== ======================================= ==========
    effect     meaning                                 operations
    ========== ======================================= ==========
    set        x = b                                   0
    unknown    x is what the question asks for         0
    none       a fact that does not matter             0
    ask        the question asks for x                 0
    ask_first  x is told, the unknown start is asked   0
    add …      x + b, x - b, x * b, x / b              1
    half       x / 2 (``third``: x / 3, ``double``: x * 2) 1
    product    the opening gives b * c                 1
    sum        the opening gives b + c                 1
    add_packs  x + b * c (``give_each``: x - b * c)    2
    total      x + the value before the last event     1
    need       b - x                                   1
    price      x * b                                   1
    ========== ======================================= ==========

    ``moves`` is true if the story goes on with ``{M}`` instead of ``{A}``.
    """

    id: str
    text: str
    effect: str
    moves: bool = False


OPENINGS = (
    Form(id="some", text="{A} has some {items}.", effect="unknown"),
    Form(id="unknown", text="Nobody knows how many {items} {A} had.", effect="unknown"),
    Form(id="box_of", text="{A} brings a box of {items}.", effect="unknown"),
    Form(id="has", text="{A} has {b} {items}.", effect="set"),
    Form(id="drawer", text="There are {b} {items} in {A}'s room.", effect="set"),
    Form(id="starts", text="{A} starts the day with {b} {items}.", effect="set"),
    Form(id="collects", text="{A} collected {b} {items} last week.", effect="set"),
    Form(id="shelf", text="{A} puts {b} {items} on a shelf.", effect="set"),
    Form(id="boxes", text="{A} buys {b} boxes with {c} {items} in each box.", effect="product"),
    Form(id="rows", text="{A} lays out {b} rows of {c} {items}.", effect="product"),
    Form(id="bags", text="{A} fills {b} bags, and every bag holds {c} {items}.", effect="product"),
    Form(id="colours", text="{A} has {b} red {items} and {c} blue {items}.", effect="sum"),
    Form(id="days", text="{A} found {b} {items} on Monday and {c} on Tuesday.", effect="sum"),
)

RELATIONS = (
    Form(id="more", text="{M} has {b} more {items} than {A}.", effect="add", moves=True),
    Form(id="fewer", text="{M} has {b} fewer {items} than {A}.", effect="subtract", moves=True),
    Form(
        id="as_many",
        text="{M} has {b} times as many {items} as {A}.",
        effect="multiply",
        moves=True,
    ),
    Form(id="half_as", text="{M} has half as many {items} as {A}.", effect="half", moves=True),
    Form(id="less_more", text="{A} has {b} more {items} than {M}.", effect="subtract", moves=True),
    Form(id="less_fewer", text="{A} has {b} fewer {items} than {M}.", effect="add", moves=True),
    Form(
        id="less_times",
        text="{A} has {b} times as many {items} as {M}.",
        effect="divide",
        moves=True,
    ),
)
"""Sentences that relate two people by name, so that they can be told in any order. The first four
occur in ordinary stories too."""

EVENTS = (
    Form(id="buys", text="{A} buys {b} more {items}.", effect="add"),
    Form(id="gift", text="{M} gives {A} {b} {items}.", effect="add"),
    Form(id="finds", text="Then {A} finds another {b}.", effect="add"),
    Form(id="arrive", text="In the evening {b} new {items} arrive.", effect="add"),
    Form(id="gives", text="{A} gives {b} {items} to {M}.", effect="subtract"),
    Form(id="loses", text="{A} loses {b} of them.", effect="subtract"),
    Form(id="break", text="On the way home {b} of the {items} break.", effect="subtract"),
    Form(id="borrows", text="{M} borrows {b} of them.", effect="subtract"),
    Form(id="doubles", text="A week later there are twice as many.", effect="double"),
    Form(id="times", text="Soon {A} has {b} times as many {items} as before.", effect="multiply"),
    Form(
        id="grows", text="After a year the number has grown {b} times as large.", effect="multiply"
    ),
    Form(id="half", text="{A} sells half of them.", effect="half"),
    Form(id="third", text="Only a third of them is left the next day.", effect="third"),
    Form(id="piles", text="{A} makes {b} equal piles and keeps one pile.", effect="divide"),
    Form(id="shares", text="{b} children share them equally, and {A} is one.", effect="divide"),
    *RELATIONS[:4],
    Form(id="which_more", text="That is {b} more than {M} has.", effect="subtract", moves=True),
    Form(id="which_fewer", text="That is {b} fewer than {M} has.", effect="add", moves=True),
    Form(id="which_times", text="That is {b} times what {M} has.", effect="divide", moves=True),
    Form(id="packs", text="{A} gets {b} packs of {c} {items}.", effect="add_packs"),
    Form(id="each", text="{A} gives {c} {items} to each of {b} friends.", effect="give_each"),
    Form(id="other", text="{A} also owns {b} {other}.", effect="none"),
    Form(id="age", text="{A} is {b} years old.", effect="none"),
    Form(id="mate", text="{M} has {b} {items}.", effect="none"),
    Form(id="cost", text="Last year {A} paid {b} dollars for {other}.", effect="none"),
)

QUESTIONS = (
    Form(
        id="at_first",
        text="Now {A} has {b} {items}. How many did {A} have at first?",
        effect="ask_first",
    ),
    Form(
        id="beginning",
        text="In the end {A} has {b} {items}. Find the number at the beginning.",
        effect="ask_first",
    ),
    Form(
        id="started_with",
        text="That makes {b} {items}. How many {items} did {A} start with?",
        effect="ask_first",
    ),
    Form(id="how_many", text="How many {items} does {A} have now?", effect="ask"),
    Form(id="number", text="What is the number of {items} that {A} has in the end?", effect="ask"),
    Form(id="find", text="Find how many {items} {A} has after all this.", effect="ask"),
    Form(id="together", text="How many {items} do {A} and {M} have together?", effect="total"),
    Form(id="wants", text="{A} wants {b} {items}. How many are missing?", effect="need"),
    Form(
        id="sells",
        text="{A} sells them all for {b} dollars each. How many dollars does {A} get?",
        effect="price",
    ),
)

NAMES = tuple(
    "Ann Ben Carla David Emma Farid Grace Hugo Ines Jack Kim Leo Mia Noah Olga Paul Quinn Rosa "
    "Sam Tara Uma Victor Wendy Yusuf".split()
)
ITEMS = tuple(
    "pens apples books stamps marbles coins cards shells stickers eggs cups buttons beads candles "
    "keys lemons muffins nuts plates ribbons seeds tiles toys balls".split()
)
