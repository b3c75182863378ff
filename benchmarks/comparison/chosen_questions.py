"""The questions of a comparison: the first ones of the data set's order."""

from __future__ import annotations

from econ_env.config import EnvConfig
from econ_env.questions.base import Question, QuestionOrder
from econ_env.questions.load import load_questions


def choose_questions(config: EnvConfig, count: int) -> tuple[Question, ...]:
    """Return the first ``count`` questions in the order of ``config``, without repetition.

    There are fewer if the data set has fewer. All of them can be graded: a row whose gold answer
    cannot be read is an error that names the row.

    Raises:
        QuestionError: the data set cannot be used.
    """
    source = load_questions(
        config.dataset,
        split=config.split,
        data_path=config.data_path,
        subset=config.subset,
        revision=config.revision,
        streaming=config.streaming,
        question_field_name=config.question_field_name,
        answer_field_name=config.answer_field_name,
        max_question_length=config.max_question_length,
        max_answer_length=config.max_answer_length,
        seed=config.seed,
    )
    order = QuestionOrder(source, order=config.order, loop=False, seed=config.seed)
    return tuple(order.take(count))
