"""The questions of a comparison: the first ones of the data set's order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from econ_env.config import EnvConfig
from econ_env.errors import UsageError
from econ_env.questions.base import Question, QuestionOrder


def choose_questions(config: EnvConfig, count: int, *, skip: int = 0) -> tuple[Question, ...]:
    """Return ``count`` questions in the order of ``config``, without repetition.

    The first ``skip`` of the order are left out. There are fewer if the data set has fewer. All of
    them can be graded: a row whose gold answer cannot be read is an error that names the row, or
    left out with ``skip_bad_rows``.

    Raises:
        QuestionError: the data set cannot be used.
        UsageError: no question is left after those that are left out.
    """
    source = config.load_questions(config.seed)
    order = QuestionOrder(source, order=config.order, loop=False, seed=config.seed)
    chosen = tuple(order.take(skip + count)[skip:])
    if not chosen:
        raise UsageError(f"the data set has no question beyond the {skip} that are left out")
    return chosen


def sha256_of(questions: Sequence[Question]) -> str:
    """Return a checksum of the questions, with their ids and gold answers."""
    text = json.dumps([[each.id, each.text, each.gold] for each in questions])
    return hashlib.sha256(text.encode()).hexdigest()
