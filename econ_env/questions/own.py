"""A question of one's own, to which nobody knows the answer: it is played, but not judged."""

from __future__ import annotations

from econ_env.questions.base import Question, QuestionError
from econ_env.text import encodable

OWN_QUESTION = "own question"
"""Id of such a question, and name of its source."""


def own_question(text: str) -> Question:
    """Return a question without a gold answer.

    Raises:
        QuestionError: the text is empty.
    """
    text = encodable(text).strip()
    if not text:
        raise QuestionError("the question is empty: write one")
    return Question(id=OWN_QUESTION, text=text, gold="")


class OwnQuestion:
    """A :class:`~econ_env.questions.base.QuestionSource` of one question without a gold answer.

    Raises:
        QuestionError: the text is empty.
    """

    name = OWN_QUESTION

    def __init__(self, text: str) -> None:
        self._question = own_question(text)

    def __len__(self) -> int:
        """Return 1."""
        return 1

    def __getitem__(self, index: int) -> Question:
        """Return the question; ``IndexError`` for any index but 0."""
        return (self._question,)[index]
