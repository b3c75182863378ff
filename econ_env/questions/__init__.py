"""Sources of questions: procedural ones, files, and data sets of the Hugging Face hub."""

from __future__ import annotations

from econ_env.questions.base import (
    OrderName,
    OrderState,
    OutOfQuestions,
    Question,
    QuestionError,
    QuestionOrder,
    QuestionSource,
    StreamedSource,
)
from econ_env.questions.load import load_questions
from econ_env.questions.local import LocalQuestions
from econ_env.questions.presets import PRESETS, Preset

__all__ = [
    "PRESETS",
    "LocalQuestions",
    "OrderName",
    "OrderState",
    "OutOfQuestions",
    "Preset",
    "Question",
    "QuestionError",
    "QuestionOrder",
    "QuestionSource",
    "StreamedSource",
    "load_questions",
]
