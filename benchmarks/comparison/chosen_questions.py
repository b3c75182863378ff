"""The questions of a comparison: the first ones of the data set's order."""

from __future__ import annotations

from econ_env.config import EnvConfig
from econ_env.questions.base import Question, QuestionOrder


def choose_questions(config: EnvConfig, count: int) -> tuple[Question, ...]:
    """Return the first ``count`` questions in the order of ``config``, without repetition.

    There are fewer if the data set has fewer. All of them can be graded: a row whose gold answer
    cannot be read is an error that names the row, or left out with ``skip_bad_rows``.

    Raises:
        QuestionError: the data set cannot be used.
    """
    source = config.load_questions(config.seed)
    order = QuestionOrder(source, order=config.order, loop=False, seed=config.seed)
    return tuple(order.take(count))
