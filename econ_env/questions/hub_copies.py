"""Downloaded data sets of the hub, in the cache of ``datasets`` on this machine.

``load_dataset`` contacts the hub even for a data set that it has cached, and without a network it
retries for half a minute first. A copy that is found here is read at once.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """One subset of a data set at one revision, with all its splits.

    Its folder is ``<cache>/<owner>___<name>/<subset>/<version>/<commit>``.
    """

    subset: str
    version: str
    commit: str
    """Commit of the repository from which the copy was made."""
    made: float
    """Time at which the copy was made, in seconds since 1970."""


def cached_copies(hub_id: str) -> list[Copy]:
    """Every complete copy of a data set on this machine, the newest first."""
    copies = []
    for info in (_cache() / _folder_name(hub_id)).glob("*/*/*/dataset_info.json"):
        subset, version, commit = info.parent.parts[-3:]
        try:
            settings = json.loads(info.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # another process is writing it: not a copy yet
            continue
        # With another name, the copy has special settings; with this ending, it is incomplete.
        if settings.get("config_name") != subset or commit.endswith(".incomplete"):
            continue
        made = info.stat().st_mtime
        copies.append(Copy(subset=subset, version=version, commit=commit, made=made))
    return sorted(copies, key=lambda copy: copy.made, reverse=True)


def find_copy(hub_id: str, *, subset: str | None, revision: str | None) -> Copy | None:
    """The newest copy of this subset and revision; None if there is none.

    If no subset is named, only a copy of the subset ``default`` is accepted: the default subset of
    a repository may have another name, which only the hub knows.
    """
    wanted = None if revision is None else _commit(hub_id, revision)
    for copy in cached_copies(hub_id):
        if copy.subset == (subset or "default") and wanted in (None, copy.commit):
            return copy
    return None


def open_copy(hub_id: str, copy: Copy, *, split: str, streaming: bool) -> Any:
    """A ``datasets.Dataset``, or ``IterableDataset``, of one split of ``copy``.

    Raises:
        ValueError: there is no such split.
    """
    from datasets.packaged_modules.cache.cache import Cache

    builder = Cache(
        dataset_name=hub_id.split("/")[-1],
        repo_id=hub_id,
        config_name=copy.subset,
        version=copy.version,
        hash=copy.commit,
        cache_dir=str(_cache()),
    )
    return builder.as_streaming_dataset(split) if streaming else builder.as_dataset(split)


def _cache() -> Path:
    """Folder of the downloads of ``datasets``, found without importing that library."""
    from huggingface_hub import constants

    folder = os.environ.get("HF_DATASETS_CACHE", str(Path(constants.HF_HOME) / "datasets"))
    return Path(folder).expanduser()


def _folder_name(hub_id: str) -> str:
    owner, name = hub_id.split("/")
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return f"{owner}___{name.lower()}"


def _commit(hub_id: str, revision: str) -> str:
    """The commit of a branch or tag at its last download; ``revision`` itself if unknown."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"datasets--{hub_id.replace('/', '--')}" / "refs"
    reference = folder / revision
    return reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
