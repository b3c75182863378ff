"""A fuzzer that finds readers of model text whose time grows faster than the text.

A text is made of a head, a fragment that is repeated (pumped), and an end. Every reader gets it in
two lengths, and in more where the longer one takes noticeably long. Time is processor time of this
process, the least of several runs, so that other programs change nothing. A reader that hangs is
interrupted, and the system ends this process after :data:`MAX_CPU_S`.

    python -m tests.pumping SEED SECONDS [READER ...]     random texts; prints what it finds
    python -m tests.pumping fixed                         the texts of the test, always the same
"""

from __future__ import annotations

import json
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from econ_env.embeddings.hashing import HashingEncoder
from econ_env.game.committed_value import is_left_blank, value_text
from econ_env.game.labelled import labelled_entries
from econ_env.game.loose_json import loose_objects, restore_latex
from econ_env.game.parsing import guard_strategy, parse_commitment, spoken, whole_steps
from econ_env.game.prompts import COMPACT, DEFAULT, PLAIN
from econ_env.grading import answers, extraction, latex, limits, plain, units
from econ_env.llm.api.errors import fault_of_status
from econ_env.llm.simulated.coordinator import read_response
from econ_env.text import encodable, printable

SIZES = (1 / 8, 1 / 4, 1 / 2, 1)
"""Lengths of one text, as shares of the longest that its reader gets."""
NOTICEABLE_S = 0.01
"""Processor time that a shorter one counts as: below it, the clock and the caches decide."""
MAX_FACTOR_FOR_TWICE = 10
"""Maximum growth of the time for twice the length; 2 is linear."""
MAX_FACTOR_IN_ALL = 32
"""Maximum growth of the time for eight times the length; 8 is linear, 64 quadratic."""
HANGS_AFTER_S = 3.0
MAX_CPU_S = 240
RUNS = 5
"""Number of runs of which the quickest counts."""

LONG = 16_000
"""Length for readers of whole replies, in characters: that of about 4,000 tokens."""
SHORT = 1_900
"""Length for readers of strategies and of single answers, which are bounded."""

FRAGMENTS = (
    *(
        " ",
        "\n",
        "\t",
        "\u00a0",
        "*",
        "_",
        "a",
        "A",
        "1",
        "0.",
        "1,",
        "1 ",
        "! ",
        "é",
        "，",
        "：",
        "“",
    ),
    *(
        ",",
        ".",
        ":",
        ";",
        "=",
        "-",
        "+",
        "!",
        "?",
        "^",
        "%",
        "/",
        "|",
        "#",
        "'",
        '"',
        "`",
        "$",
        "&",
    ),
    *(
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        "</",
        "\\",
        "\\\\",
        "\\!",
        "\\quad",
        "\\(",
        "{,}",
        "**",
    ),
    *(
        '" ',
        "' ",
        '": ',
        '","',
        '":"',
        "\\boxed{",
        "\\boxed ",
        "\\fbox{",
        "\\text{",
        "\\frac",
        "\\sqrt[",
    ),
    *(
        "sqrt(",
        "\\binom{",
        "\\choose",
        "9^",
        "9!",
        "^9",
        "^{\\circ",
        "####",
        "#### ",
        "<think>",
        "</think>",
    ),
    *(
        "[THINK]",
        "<|",
        "<|channel|>",
        "answer ",
        "answer: ",
        "answer:",
        "is ",
        "the ",
        "so ",
        "final ",
    ),
    *("x=", "= ", "it ", "total", "value", "value: ", "**value", "<value>", "</value>", "reason: "),
    *(
        '"value": ',
        '{"value": ',
        '{"value":',
        '{"a":',
        "{'",
        "&quot;",
        "&amp;",
        "// ",
        "/*",
        "| ",
        "confidence ",
    ),
    *("1.\n", "- ", "Question:", "yes", "model: ", "<question_", "solution", "and ", "A) ", "a b "),
)
SKIPPED = (
    " ",
    "\n",
    "*",
    "_",
    "1",
    "a",
    ",",
    '"',
    '" "',
    "[",
    "{",
    "(",
    "<",
    "^",
    "9^",
    "a b ",
    "\\",
)
"""Fragments that many patterns may skip, so that two parts of one pattern may compete for them."""
ENDS = ("", '"x y')
"""Nothing, and an end at which most patterns fail, after they have tried everything."""


@dataclass(frozen=True)
class Reader:
    """A reader of model text, and texts to begin with that lead into its inner parts."""

    read: Callable[[str], object]
    longest: int = LONG
    heads: tuple[str, ...] = ("",)


def _unremembered(function: Callable[[str], object]) -> Callable[[str], object]:
    """``function`` without its cache, so that a second call works as hard as the first."""
    wrapped: Callable[[str], object] = getattr(function, "__wrapped__", function)
    return wrapped


READERS = {
    "parse_commitment": Reader(
        parse_commitment,
        heads=(
            *("", "{", '{"value": [', '{"value": {', '{"value": "', '{"value": ', '{"reason": "'),
            *("<value>", "**Value:** ", "{“value”：", '{"a": {"value": "', "answer: "),
        ),
    ),
    "parse_commitment with a task": Reader(lambda text: parse_commitment(text, text)),
    "loose_objects": Reader(
        lambda text: list(loose_objects(text)), heads=("", '{"value": [', "{a: ", "{'a': '", "{/*")
    ),
    "labelled_entries": Reader(labelled_entries, heads=("", "| value | reason |\n", "value: ")),
    "value_text": Reader(value_text, SHORT // 2, ("", "the ", '{"')),
    "is_left_blank": Reader(is_left_blank, SHORT, ("", "the ", "<", "[")),
    "restore_latex": Reader(restore_latex),
    "spoken": Reader(spoken),
    "guard_strategy": Reader(
        guard_strategy, SHORT, ("", "answer", "the answer is ", "answer: ", "1")
    ),
    "whole_steps": Reader(whole_steps, heads=("", "1. ")),
    "default prompts": Reader(lambda text: DEFAULT.commit(text, text, [text]), heads=("", "<")),
    "plain prompts": Reader(lambda text: PLAIN.commit(text, text, [text]), heads=("", "#")),
    "compact prompts": Reader(lambda text: COMPACT.commit(text, text, [text])),
    "extract": Reader(extraction.extract, heads=("", "the answer is ", "\\boxed{", "#### ")),
    "worked_steps": Reader(extraction.worked_steps),
    "clean": Reader(latex.clean),
    "unwrap_text": Reader(latex.unwrap_text),
    "to_latex": Reader(latex.to_latex, SHORT),
    "looks_mathematical": Reader(latex.looks_mathematical, SHORT),
    "parse_plain": Reader(_unremembered(plain.parse_plain), SHORT, ("", "1", "x = ", "1 m^")),
    "read_unit": Reader(lambda text: units.read_unit(text, glued=False), SHORT, ("", "m", "m^")),
    "is_excessive": Reader(limits.is_excessive, limits.MAX_ANSWER_LENGTH, ("", "9", "\\binom{")),
    "is_no_formula": Reader(limits.is_no_formula, SHORT),
    "gold_answer": Reader(_unremembered(answers.gold_answer)),
    "HashingEncoder": Reader(lambda text: HashingEncoder().encode([text])),
    "simulated read_response": Reader(read_response),
    "fault_of_status": Reader(lambda text: fault_of_status(400, {}, text, 0.0)),
    "encodable": Reader(encodable),
    "printable": Reader(printable),
}


@dataclass(frozen=True)
class Pumped:
    """A text of any length: ``fragment`` as often as fits between ``head`` and ``end``."""

    head: str
    fragment: str
    end: str

    def of_length(self, length: int) -> str:
        return self.head + self.fragment * (length // len(self.fragment)) + self.end


class _TooLongError(BaseException):
    """A reader hangs. No ``Exception``, so that no reader catches it."""


def growth(reader: Reader, pumped: Pumped) -> str | None:
    """A sentence about the time of ``reader`` if it grows too fast; None if it does not."""
    texts = [pumped.of_length(int(share * reader.longest)) for share in SIZES]
    # Most readers are far below what would be judged, and are run once.
    if _cost(reader, texts[0]) < HANGS_AFTER_S and (
        _cost(reader, texts[-1]) <= MAX_FACTOR_FOR_TWICE * NOTICEABLE_S
    ):
        return None
    costs: list[float] = []
    for text in texts:
        least = _least_cost(reader, text)
        if least >= HANGS_AFTER_S:
            return f"takes more than {HANGS_AFTER_S:g} s for {len(text)} characters"
        costs.append(max(least, NOTICEABLE_S))
        if costs[-1] > MAX_FACTOR_FOR_TWICE * costs[max(0, len(costs) - 2)]:
            return f"takes {costs[-1] / costs[-2]:.0f} times as long for twice the length"
    if costs[-1] > MAX_FACTOR_IN_ALL * costs[0]:
        return f"takes {costs[-1] / costs[0]:.0f} times as long for eight times the length"
    return None


def _least_cost(reader: Reader, text: str) -> float:
    """The least of several costs; of a text that takes long, after the first run."""
    least = _cost(reader, text)
    for _ in range(RUNS - 1):
        if least > 1:
            break
        least = min(least, _cost(reader, text))
    return least


def _cost(reader: Reader, text: str) -> float:
    """Processor time in seconds, at most :data:`HANGS_AFTER_S`."""
    begin = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_AFTER_S)
    try:
        reader.read(text)
    except _TooLongError:
        return HANGS_AFTER_S
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return time.process_time() - begin


def fixed_texts() -> Iterator[tuple[str, Pumped]]:
    """Every fragment for every reader, and the fragments that patterns skip behind every head."""
    for name, reader in READERS.items():
        for index, fragment in enumerate(FRAGMENTS):
            yield name, Pumped("", fragment, ENDS[index % len(ENDS)])
        for head in reader.heads:
            for fragment in SKIPPED:
                yield name, Pumped(head, fragment, ENDS[1])


def random_texts(seed: int, names: tuple[str, ...]) -> Iterator[tuple[str, Pumped]]:
    """Texts without end: one to three fragments together are pumped."""
    choose = random.Random(seed)

    def some(least: int, most: int) -> str:
        return "".join(choose.choices(FRAGMENTS, k=choose.randint(least, most)))

    while True:
        name = choose.choice(names)
        head = choose.choice(READERS[name].heads) + some(0, 2)
        yield name, Pumped(head, some(1, 3), some(0, 3))


def interrupt(_signal: int, _frame: object) -> None:
    """Handle the timer of a text that takes too long."""
    raise _TooLongError


def main(arguments: list[str]) -> None:
    """Print one line of JSON for every finding, and at the end the number of texts."""
    signal.signal(signal.SIGVTALRM, interrupt)
    end = float("inf")
    if arguments == ["fixed"]:
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
        texts = fixed_texts()
    else:
        seed, seconds, *names = arguments
        end = time.monotonic() + float(seconds)
        texts = random_texts(int(seed), tuple(names or READERS))
    for reader in READERS.values():
        reader.read("warm \\frac{1}{2} up")  # first calls build tables
    count = 0
    for name, pumped in texts:
        count += 1
        # On stderr, so that the last line names the text of a process that was ended.
        print(name, pumped, file=sys.stderr, flush=True)
        finding = growth(READERS[name], pumped)
        if finding is not None:
            print(
                json.dumps({"reader": name, "finding": finding, "text": repr(pumped)}), flush=True
            )
        if time.monotonic() > end:
            break
    print(json.dumps({"texts": count}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
