"""Data sets of the Hugging Face hub, through ``datasets.load_dataset``.

No code of a repository is ever run: ``datasets`` reads data files only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from econ_env.hub import PATIENCE, within_reach
from econ_env.questions.base import QuestionError
from econ_env.questions.fields import Fields
from econ_env.questions.hub_copies import cached_copies, find_copy, open_copy
from econ_env.questions.rows import Row
from econ_env.questions.table import Table

_LOG_IN = "log in with `hf auth login` or set HF_TOKEN."
_REMEDIES = {
    "gated dataset": f"Accept its terms on its page, then {_LOG_IN}",
    "Revision": "Check the revision.",
    "doesn't exist": f"Check the name; for a private data set {_LOG_IN}",
    "Config name is missing": "Choose one with subset.",
    "BuilderConfig": "Choose one with subset.",
    "Unknown split": "Choose one with split.",
    "Bad split": "Choose one with split.",
}
"""Remedies by words of the library's message; the first words that occur count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HubSplit:
    """One split of a data set of the hub."""

    hub_id: str
    """Repository, ``owner/name``."""
    split: str
    """Name of the split on the hub."""
    subset: str | None = None
    """Configuration of the repository; None if it has only one or a default."""
    revision: str | None = None
    """Commit, tag or branch. None: any copy on this machine, else the main branch."""

    def __str__(self) -> str:
        subset = f"subset {self.subset!r}, " if self.subset is not None else ""
        revision = f", revision {self.revision!r}" if self.revision is not None else ""
        return f"{self.hub_id} ({subset}split {self.split!r}{revision})"

    @property
    def name(self) -> str:
        """Short name: ``openai/gsm8k/main/test``."""
        return "/".join(filter(None, (self.hub_id, self.subset, self.split)))


def hub_table(part: HubSplit, *, fields: Fields | None, streaming: bool) -> Table:
    """The rows of one split.

    A copy on this machine is read without contacting the hub, so that an experiment does not
    depend on the network; the first use makes the copy, unless ``streaming``.

    Raises:
        QuestionError: the data set, its subset or split does not exist or may not be read; or it
            is not on this machine and the hub does not answer (reported within 5 seconds).
    """
    copy = find_copy(part.hub_id, subset=part.subset, revision=part.revision)
    if copy is None and not _hub_answers(part):
        raise QuestionError(_remedy_offline(part))
    try:
        with _bars_on_terminals_only():
            if copy is not None:
                rows = open_copy(part.hub_id, copy, split=part.split, streaming=streaming)
            else:
                rows = _from_hub(part, streaming=streaming)
    except Exception as error:  # datasets, pyarrow or the HTTP client may raise anything
        raise QuestionError(_explained(part, error)) from error
    return Table(
        name=part.name,
        where=str(part),
        unit="row",
        rows=partial(_numbered, part, rows),
        fields=fields,
        size=None if streaming else len(rows),
    )


def _from_hub(part: HubSplit, *, streaming: bool) -> Any:
    from datasets import load_dataset

    return load_dataset(
        part.hub_id,
        part.subset,
        split=part.split,
        revision=part.revision,
        streaming=streaming,
    )


def _numbered(part: HubSplit, rows: Any) -> Iterator[Row]:
    """Yield the rows, numbered from 1; a streamed table reads them over the network."""
    try:
        yield from enumerate(rows, 1)
    except Exception as error:
        raise QuestionError(f"{part}: cannot be read any further: {_line(error)}") from error


def _hub_answers(part: HubSplit) -> bool:
    if os.environ.get("HF_DATASETS_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    return within_reach(f"datasets/{part.hub_id}/resolve/{part.revision or 'main'}/README.md")


def _remedy_offline(part: HubSplit) -> str:
    from huggingface_hub import constants

    copies = " and ".join(
        f"subset {copy.subset!r} at {copy.commit[:12]}" for copy in cached_copies(part.hub_id)
    )
    here = f"has only {copies}" if copies else "has no folder and no copy of this name"
    arguments = repr(part.hub_id) if part.subset is None else f"{part.hub_id!r}, {part.subset!r}"
    return (
        f"{part}: this machine {here}, and the Hugging Face hub ({constants.ENDPOINT}) does not "
        f"answer within {PATIENCE:.0f} s, or is not asked because HF_HUB_OFFLINE or "
        "HF_DATASETS_OFFLINE is set. Use a file with the rows, dataset='path/to/test.jsonl'; or "
        f"run datasets.load_dataset({arguments}) in Python on a machine with a network, and copy "
        "its folder ~/.cache/huggingface to this one."
    )


def _explained(part: HubSplit, error: Exception) -> str:
    """The message of the library about ``error`` on one line, and the remedy."""
    said = _line(error)
    for words, remedy in _REMEDIES.items():
        if words in said:
            return f"{part}: {said} {remedy}"
    return f"{part}: cannot be loaded: {said}"


def _line(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said if said.endswith((".", "!", "?", "`")) else said + "."


@contextmanager
def _bars_on_terminals_only() -> Iterator[None]:
    """Disable the progress bars of the libraries if stderr is not a terminal."""
    from datasets import utils
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    with ExitStack() as stack:
        if not sys.stderr.isatty():
            if not utils.are_progress_bars_disabled():
                utils.disable_progress_bars()
                stack.callback(utils.enable_progress_bars)
            if not are_progress_bars_disabled():
                disable_progress_bars()
                stack.callback(enable_progress_bars)
        yield
