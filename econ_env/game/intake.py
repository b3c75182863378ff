"""Completions as the game takes them in: bounded in length, safe to store and to print.

Every text of a model enters the game here, so nothing behind it meets a completion that is much
longer than what was asked for, an answer that is no answer, or an error text that a terminal would
obey.
"""

from __future__ import annotations

from dataclasses import replace

from econ_env.llm.types import ChatRequest, Completion
from econ_env.text import encodable, longest_completion, printable

MAX_ERROR_CHARACTERS = 2_000
"""Maximum length of the message of a failure."""
MAX_ANSWER_CHARACTERS = 1_000
"""Maximum length of an answer; a longer one is none, and reaches neither grader nor cache."""


def taken_in(request: ChatRequest, completion: Completion) -> Completion:
    """``completion`` with clean texts, cut where ``max_tokens`` would have ended it at the latest.

    A completion that was cut has the finish reason ``length``.
    """
    longest = longest_completion(request.max_tokens)
    is_cut = len(completion.text) > longest
    error = completion.error
    return replace(
        completion,
        text=encodable(completion.text[:longest]),
        finish_reason="length" if is_cut else completion.finish_reason,
        error=None if error is None else printable(error[:MAX_ERROR_CHARACTERS]),
    )


def bounded_answer(answer: str | None) -> str | None:
    """``answer``, or None if it is longer than :data:`MAX_ANSWER_CHARACTERS`."""
    return None if answer is None or len(answer) > MAX_ANSWER_CHARACTERS else answer
