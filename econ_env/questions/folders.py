"""The files of a folder that hold one split of a data set.

A folder is one of four: a file per split (``test.jsonl``); a copy of a repository of the hub, with
its files in ``data/`` or in a folder per subset, often in shards (``test-00000-of-00002.parquet``);
what ``Dataset.save_to_disk`` wrote; or what ``DatasetDict.save_to_disk`` wrote.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from econ_env.questions.base import QuestionError
from econ_env.questions.rows import SUFFIXES

_SHARD = re.compile(r"(?P<split>.+?)-(?P<number>\d{5})-of-(?P<count>\d{5})(?:-[0-9a-f]{16})?")
_FROM_MEMORY = ".arrow"
_ABOUT_THE_DATA = ("dataset_dict.json", "dataset_info.json", "dataset_infos.json", "state.json")


def files_of_split(folder: Path, split: str, subset: str | None = None) -> list[Path]:
    """The files of ``folder`` that hold ``split``, in the order of their rows.

    Raises:
        QuestionError: there are none, they are in several formats or places, or a shard is missing.
    """
    saved = folder / split if (folder / "dataset_dict.json").is_file() else folder
    if (saved / "state.json").is_file():
        return _saved_files(saved)
    for place in _places(folder, split, subset):
        files = _files_in(place, split)
        if files:
            return files
    subsets = sorted(
        place.name for place in _folders_in(folder) if subset is None and _files_in(place, split)
    )
    if len(subsets) == 1:
        return _files_in(folder / subsets[0], split)
    if subsets:
        raise QuestionError(
            f"{folder}: the split {split!r} is in several folders: choose one with subset "
            f"({', '.join(subsets)})"
        )
    raise QuestionError(_nothing_found(folder, split, subset))


def _nothing_found(folder: Path, split: str, subset: str | None) -> str:
    places = [folder, *_folders_in(folder), *_folders_in(folder / "data")]
    there = {
        _split_of(file)
        for place in places
        if not (place / "state.json").is_file()
        for file in _data_files(place)
    }
    there |= {place.parent.name for place in folder.glob("*/state.json")}
    named = f" of the subset {subset!r}" if subset is not None else ""
    return (
        f"{folder}: the folder must hold exactly one file for the split {split!r}{named}, named "
        f"{' or '.join(split + suffix for suffix in SUFFIXES)}, or its shards "
        f"({split}-00000-of-00002.parquet), there or in {folder.name}/data; it holds 0. "
        f"Splits there: {', '.join(sorted(there)) or 'none'}"
    )


def _places(folder: Path, split: str, subset: str | None) -> list[Path]:
    """The folders in which a split may lie; the first that holds it counts."""
    if subset is None or subset == "default":
        tops = [folder, folder / "data"]
    else:
        tops = [folder / subset, folder / "data" / subset]
    return [*tops, *(top / split for top in tops)]


def _folders_in(folder: Path) -> list[Path]:
    return sorted(place for place in folder.iterdir() if place.is_dir()) if folder.is_dir() else []


def _data_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and file.name not in _ABOUT_THE_DATA
    )


def _split_of(file: Path) -> str:
    shard = _SHARD.fullmatch(file.stem)
    return shard["split"] if shard else file.stem


def _files_in(place: Path, split: str) -> list[Path]:
    """The file or the shards of ``split`` in one folder; in a folder of that name, all files."""
    files = _data_files(place)
    if place.name != split or any(_split_of(file) == split for file in files):
        files = [file for file in files if _split_of(file) == split]
    whole = [file for file in files if _SHARD.fullmatch(file.stem) is None]
    if len(files) <= 1 and whole == files:
        return files
    suffixes = {file.suffix.lower() for file in files}
    if whole and place.name == split and len(suffixes) == 1 and whole == files:
        return files  # numbered files in a folder that has the name of the split
    if whole or len(suffixes) > 1:
        raise QuestionError(
            f"{place}: the folder must hold exactly one file for the split {split!r}, or its "
            f"shards; it holds {len(files)} ({', '.join(file.name for file in files)})"
        )
    return _all_shards(place, split, files)


def _all_shards(place: Path, split: str, files: list[Path]) -> list[Path]:
    shards = [match for match in (_SHARD.fullmatch(file.stem) for file in files) if match]
    counts = {int(shard["count"]) for shard in shards}
    missing = set(range(max(counts))) - {int(shard["number"]) for shard in shards}
    if len(counts) > 1 or missing or len(files) > max(counts):
        raise QuestionError(
            f"{place}: the shards of the split {split!r} are not complete: {len(files)} of "
            f"{max(counts)} are there ({', '.join(file.name for file in files)}); copy the others"
        )
    return files


def _saved_files(folder: Path) -> list[Path]:
    """The files of a data set that ``save_to_disk`` wrote, in their order."""
    state = folder / "state.json"
    try:
        listed: Any = json.loads(state.read_text(encoding="utf-8"))
        names = [str(entry["filename"]) for entry in listed["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise QuestionError(f"{state}: not what save_to_disk writes: {error!r}") from error
    files = [folder / name for name in names]
    for name, file in zip(names, files, strict=True):
        if Path(name).name != name or file.suffix != _FROM_MEMORY:
            raise QuestionError(f"{state}: names {name!r}, which is no file of this folder")
        if not file.is_file():
            raise QuestionError(f"{folder}: the file {name!r} that state.json names is missing")
    if not files:
        raise QuestionError(f"{state}: the data set holds no questions")
    return files
