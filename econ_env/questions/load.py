"""Loading of data sets by name, as rows or as questions."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from econ_env.hub import is_hub_id
from econ_env.questions.base import QuestionError, QuestionSource
from econ_env.questions.fields import Fields, named_fields
from econ_env.questions.hub_table import HubSplit, hub_table
from econ_env.questions.listed import ListedQuestions
from econ_env.questions.local import is_file_name, local_table
from econ_env.questions.presets import PRESETS, Preset
from econ_env.questions.rows import SUFFIXES
from econ_env.questions.streamed import StreamedQuestions
from econ_env.questions.table import Limits, Table

PROCEDURAL = ("arithmetic", "simulated")
"""Data sets that are generated, not read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSetName:
    """A data set in the words of a user; :func:`load_questions` explains the fields."""

    dataset: str | Path
    split: str
    data_path: str | Path | None
    subset: str | None
    revision: str | None
    streaming: bool
    question_field_name: str | None
    answer_field_name: str | None

    def refuse(self, *settings: str) -> None:
        """Raise ``QuestionError`` if one of ``settings``, which have no meaning here, is given."""
        given = [name for name in settings if getattr(self, name) not in (None, False)]
        if given:
            is_local = self.data_path is not None and "data_path" not in given
            local = ", read from data_path," if is_local else ""
            raise QuestionError(
                f"the data set {str(self.dataset)!r}{local} has no use for {' and '.join(given)}: "
                "leave that out"
            )


def open_table(name: DataSetName) -> Table:
    """The table of a data set with rows: a file, a preset, or a data set of the hub.

    Raises:
        QuestionError: the data set is unknown, missing or out of reach. Rows are read later.
    """
    fields = named_fields(name.question_field_name, name.answer_field_name)
    if isinstance(name.dataset, str) and name.dataset in PRESETS:
        return _preset_table(name, PRESETS[name.dataset], fields)
    if name.data_path is not None:
        raise QuestionError(
            f"data_path names the rows of a known data set ({', '.join(PRESETS)}) on this machine; "
            f"for other files set dataset={str(name.data_path)!r} alone"
        )
    path = Path(name.dataset).expanduser()
    if is_file_name(path) or isinstance(name.dataset, Path) or path.is_dir():
        name.refuse("revision", "streaming", *(() if path.is_dir() else ("subset",)))
        return local_table(path, fields, split=name.split, subset=name.subset)
    if "/" in name.dataset and is_hub_id(name.dataset):
        part = HubSplit(
            hub_id=name.dataset, split=name.split, subset=name.subset, revision=name.revision
        )
        return hub_table(part, fields=fields, streaming=name.streaming)
    near = get_close_matches(name.dataset.lower(), [*PROCEDURAL, *PRESETS], n=1)
    if near:
        raise QuestionError(f"unknown data set {name.dataset!r}. Did you mean {near[0]!r}?")
    raise QuestionError(
        f"unknown data set {name.dataset!r}: accepted are "
        f"{', '.join(map(repr, (*PROCEDURAL, *PRESETS)))}, an id of the Hugging Face hub "
        f"('owner/name'), the path of a file ({', '.join(SUFFIXES)}), and a folder with one such "
        "file per split, as copies of a repository of the hub and save_to_disk have it"
    )


def _preset_table(name: DataSetName, preset: Preset, fields: Fields | None) -> Table:
    fields = fields or preset.fields
    if name.data_path is not None:
        path = Path(name.data_path).expanduser()
        name.refuse("revision", "streaming", *(() if path.is_dir() else ("subset",)))
        return local_table(path, fields, split=name.split, subset=name.subset)
    part = HubSplit(
        hub_id=preset.hub_id,
        split=preset.hub_split(name.split),
        subset=name.subset or preset.subset,
        revision=name.revision,
    )
    return hub_table(part, fields=fields, streaming=name.streaming)


def load_questions(
    dataset: str | Path | QuestionSource,
    *,
    split: str = "test",
    data_path: str | Path | None = None,
    subset: str | None = None,
    revision: str | None = None,
    streaming: bool = False,
    question_field_name: str | None = None,
    answer_field_name: str | None = None,
    max_question_length: int | None = None,
    max_answer_length: int | None = None,
    skip_bad_rows: bool = False,
    seed: int = 0,
) -> QuestionSource:
    """The questions of the data set that a user named.

    A setting without meaning for the data set is refused, except ``split`` for a single file and
    the limits of length for procedural questions.

    Args:
        dataset: ``"arithmetic"`` (procedural word problems), ``"simulated"`` (the questions of
            the simulated model), a preset (``"gsm8k"``, ``"math"``, ``"math500"``, ``"svamp"``,
            ``"gsm_hard"``, ``"strategyqa"``), the id ``"owner/name"`` of a data set of the Hugging
            Face hub, the path of a ``.jsonl``, ``.json``, ``.parquet`` or ``.csv`` file, a folder
            (:mod:`econ_env.questions.folders`: ``test.jsonl`` and ``train.jsonl``, a copy of a
            repository of the hub, or what ``save_to_disk`` wrote), or a :class:`QuestionSource`,
            which is returned as it is. ``"./gsm8k"`` is a folder.
        split: part of ``"arithmetic"`` (``train``, ``validation``, ``test``), of ``"simulated"``
            (``train``, ``test``), of a preset or of a data set of the hub, or file of a folder. A
            single file is one split and is read for any value of ``split``.
        data_path: file, or folder with a file per split, that a preset reads instead of the hub.
        subset: configuration of a data set of the hub, or of a copy of its repository, for example
            ``"socratic"`` of ``"gsm8k"``. None: the usual one of a preset, the default one of
            others.
        revision: commit, tag or branch of a data set of the hub. None: any copy on this machine,
            else the main branch.
        streaming: True to read a data set of the hub over the network while it is played, instead
            of downloading it first.
        question_field_name: field that holds the question. An error with procedural data sets,
            which have no fields.
        answer_field_name: field that holds the gold answer. Name both fields or neither.
        max_question_length: maximum length of a question in characters; rows with a longer one are
            left out, see :class:`Limits`. Procedural questions are not filtered.
        max_answer_length: maximum length of a gold answer in characters; rows with a longer one
            are left out.
        skip_bad_rows: True to leave out rows that cannot be used instead of raising an error. Their
            number is logged, and a file that the log names holds row and reason of each.
        seed: seed of the problems of ``"arithmetic"`` and ``"simulated"``; others ignore it.

    Raises:
        QuestionError: the data set is unknown, missing, out of reach, empty or malformed.
        ValueError: a limit is below 1.
    """
    if not isinstance(dataset, str | Path):
        return dataset
    name = DataSetName(
        dataset=dataset,
        split=split,
        data_path=data_path,
        subset=subset,
        revision=revision,
        streaming=streaming,
        question_field_name=question_field_name,
        answer_field_name=answer_field_name,
    )
    if dataset in PROCEDURAL:
        return procedural_questions(name, seed=seed)
    limits = Limits(max_question_length=max_question_length, max_answer_length=max_answer_length)
    table = open_table(name)
    source = StreamedQuestions if streaming else ListedQuestions
    return source(table, limits, skip_bad_rows=skip_bad_rows)


def procedural_questions(name: DataSetName, *, seed: int) -> QuestionSource:
    """The questions of one of :data:`PROCEDURAL`.

    Raises:
        QuestionError: the split is unknown, or a setting is given that only data sets with rows
            have.
    """
    name.refuse(
        "data_path", "subset", "revision", "streaming", "question_field_name", "answer_field_name"
    )
    if name.dataset == "arithmetic":
        from econ_env.questions.arithmetic import ArithmeticQuestions

        return ArithmeticQuestions(split=name.split, seed=seed)
    from econ_env.questions.simulated import SimulatedQuestions

    return SimulatedQuestions(_simulated_split(name.split), seed=seed)


def _simulated_split(split: str) -> Literal["train", "test"]:
    if split == "train":
        return "train"
    if split == "test":
        return "test"
    raise QuestionError(f"simulated: unknown split {split!r}; there are train and test.")
