"""Check that a gold answer can be graded, when its row is read and not when it is played."""

from __future__ import annotations

import re
from typing import Literal

from econ_env.grading.answers import gold_answer
from econ_env.grading.limits import MAX_ANSWER_LENGTH
from econ_env.grading.plain import Number, Word, parse_plain

GoldFormat = Literal["any", "hashes", "boxed", "number", "truth"]
"""Format of the gold answers of a data set. ``hashes``: a solution that ends in ``#### 12``.
``boxed``: a solution with its answer in a box. ``number``: a number. ``truth``: yes or no (in a
file also true or false). ``any``: one of these or any other text or formula."""

_HEADING = re.compile(r"####[ \t]*[^\s#][^\n]*")


def gold_fault(text: str, gold_format: GoldFormat) -> str | None:
    """Return the reason why ``text``, a gold answer, cannot be graded; None if it can be."""
    if gold_format == "hashes" and "####" not in text:
        return "it has no '#### ' followed by the answer"
    if gold_format == "boxed" and "\\boxed" not in text and "\\fbox" not in text:
        return (
            "it has no \\boxed{...} with the answer (if it is the answer itself, name the fields: "
            'question_field_name="problem" answer_field_name="solution")'
        )
    answer = gold_answer(text)
    if not answer:
        heading = _HEADING.search(text)
        if heading is not None:
            return (
                f"{_short(heading[0])} is a heading, not an answer: the answer stands behind "
                "'#### ' on one line"
            )
        return "the answer in it is empty"
    if len(answer) > MAX_ANSWER_LENGTH:
        return (
            f"its {len(answer)} characters are more than the {MAX_ANSWER_LENGTH} that are graded "
            f"(max_answer_length={MAX_ANSWER_LENGTH} leaves such rows out)"
        )
    value = parse_plain(answer)
    if gold_format in ("hashes", "number") and not isinstance(value, Number):
        return f"{_short(answer)} is not a number"
    if gold_format == "truth" and value not in (Word(text="yes"), Word(text="no")):
        return f"{_short(answer)} is neither yes nor no"
    return None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
