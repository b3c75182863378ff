"""Questions of an environment that can be asked for by their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any, TypeAlias

Asked: TypeAlias = int | str
"""A question that is asked for: its number, or the text of a question of one's own."""
QUESTION_OPTION = "question"
"""Option of a reset with which an environment is asked for a question by its number or text."""


def count_questions(env: Any, wanted: int) -> int | None:
    """Count the questions of an environment; None if it has none that can be asked for.

    An environment has them if its attribute ``questions`` has a length, and then takes the option
    ``"question"``. A source that is still being read (it has a method ``available``) is read only
    as far as ``wanted``.
    """
    source = getattr(env, "questions", None)
    if not isinstance(source, Sized):
        return None
    available = getattr(source, "available", None)
    return int(available(wanted)) if callable(available) else len(source)


def asking(options: Mapping[str, Any] | None, question: Any) -> dict[str, Any]:
    """Return the options of a reset with a question asked for, or one for every place."""
    return {**(options or {}), QUESTION_OPTION: question}
