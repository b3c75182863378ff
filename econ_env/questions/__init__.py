"""Where questions come from: procedural problems and local files, all as a QuestionSource."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from econ_env.questions.base import (
    OrderName,
    OrderState,
    OutOfQuestions,
    Question,
    QuestionError,
    QuestionOrder,
    QuestionSource,
)
from econ_env.questions.local import LocalQuestions
from econ_env.questions.rows import SUFFIXES

__all__ = [
    "LocalQuestions",
    "OrderName",
    "OrderState",
    "OutOfQuestions",
    "Question",
    "QuestionError",
    "QuestionOrder",
    "QuestionSource",
    "load_questions",
]


def load_questions(
    dataset: str | Path | QuestionSource,
    *,
    split: str = "test",
    question_field_name: str | None = None,
    answer_field_name: str | None = None,
    max_question_length: int | None = None,
    max_answer_length: int | None = None,
    seed: int = 0,
) -> QuestionSource:
    """The data set that a user named.

    Args:
        dataset: ``"arithmetic"`` (procedural word problems), ``"simulated"`` (the questions of
            the simulated model), the path of a ``.jsonl``, ``.json``, ``.parquet`` or ``.csv``
            file, a folder with one such file per split (``test.jsonl``, ``train.jsonl``), or a
            :class:`QuestionSource`, which is returned as it is.
        split: which part of ``"arithmetic"`` (``train``, ``validation``, ``test``) or
            ``"simulated"`` (``train``, ``test``), or which file of a folder. A single file is one
            split and is read whatever ``split`` says.
        question_field_name: field of a file that holds the question. An error with any other
            data set, which has no fields.
        answer_field_name: field of a file that holds the gold answer; named together with
            ``question_field_name`` or not at all.
        max_question_length: rows of a file whose question has more characters are left out,
            see :class:`LocalQuestions`. Other data sets are not filtered.
        max_answer_length: the same for the gold answer.
        seed: which problems ``"arithmetic"`` and ``"simulated"`` make. Files do not depend on it.

    Raises:
        QuestionError: the data set is unknown, missing, empty or malformed.
    """
    path = _file(dataset, split) if isinstance(dataset, str | Path) else None
    if path is not None:
        return LocalQuestions(
            path,
            question_field_name=question_field_name,
            answer_field_name=answer_field_name,
            max_question_length=max_question_length,
            max_answer_length=max_answer_length,
        )
    if question_field_name is not None or answer_field_name is not None:
        raise QuestionError(
            "question_field_name and answer_field_name name the fields of a file; "
            f"the data set {dataset!r} has none, so leave them out"
        )
    if not isinstance(dataset, str | Path):
        return dataset
    if dataset == "arithmetic":
        from econ_env.questions.arithmetic import ArithmeticQuestions

        return ArithmeticQuestions(split=split, seed=seed)
    if dataset == "simulated":
        from econ_env.questions.simulated import SimulatedQuestions

        return SimulatedQuestions(_simulated_split(split), seed=seed)
    raise QuestionError(
        f"unknown data set {str(dataset)!r}: accepted are 'arithmetic', 'simulated', the path of "
        f"a file ({', '.join(SUFFIXES)}), and a folder with one such file per split"
    )


def _simulated_split(split: str) -> Literal["train", "test"]:
    if split == "train":
        return "train"
    if split == "test":
        return "test"
    raise QuestionError(f"simulated: unknown split {split!r}; there are train and test.")


def _file(dataset: str | Path, split: str) -> Path | None:
    """The file that ``dataset`` means, or None when it is no path."""
    path = Path(dataset)
    if path.suffix.lower() in SUFFIXES or (isinstance(dataset, Path) and not path.is_dir()):
        return path
    if not path.is_dir() or dataset in ("arithmetic", "simulated"):
        return None
    files = [path / f"{split}{suffix}" for suffix in SUFFIXES]
    present = [file for file in files if file.is_file()]
    if len(present) != 1:
        raise QuestionError(
            f"{path}: the folder must hold exactly one file for the split {split!r}, "
            f"named {' or '.join(file.name for file in files)}; it holds {len(present)}"
        )
    return present[0]
