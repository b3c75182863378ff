"""Checkpoints: folders of tensors and JSON that a crash never leaves half written.

A checkpoint is a folder ``<folder>/<name>/`` with one safetensors file for every group of arrays
and ``state.json``, which holds everything else together with the size and the checksum of each
file and of itself. Reading one runs no code, reads no file outside of it, and needs memory for no
more than its files; whatever is wrong with it is a :class:`CheckpointError`. Checksums find damage,
not intent: what a checkpoint says is checked again where it is used.

A checkpoint is written to ``.<name>.new``, flushed to the disk and renamed. An existing checkpoint
of this name is first renamed to ``.<name>.old``. If the program dies between the two renames, the
old checkpoint is read from there, as if the save had not happened. One process may write into a
folder; others may read, except the checkpoint that is being replaced.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch

from econ_agents.errors import EconAgentsError
from econ_files.bounded import Unreadable, read_regular
from econ_files.durable import sync_folder, write_durably
from econ_files.private import make_private_folder

FORMAT_VERSION = 1
"""Version of the folder's layout; checkpoints of another version are refused."""
MAX_FILE_BYTES = 8 * 2**30
"""Largest size of all files of arrays together; more is neither written nor read."""
MAX_HEADER_BYTES = 4 * 2**20
"""Longest header of a file of arrays: it holds names, types and shapes only."""
MAX_STATE_BYTES = 16 * 2**20
"""Largest size of ``state.json``; a larger one is neither written nor read."""
MAX_DEPTH = 64
"""Deepest nesting of lists and mappings in ``state.json``."""
STATE_FILE = "state.json"
FINAL = "final"
"""Name of the checkpoint at the end of training."""

Arrays: TypeAlias = Mapping[str, Mapping[str, torch.Tensor | npt.NDArray[Any]]]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FILE = re.compile(r"([a-z][a-z0-9_]{0,63})\.safetensors")
_PERIODIC = re.compile(r"episode_\d+")
_LEFTOVER = re.compile(r"\.[a-z][a-z0-9_]{0,63}(\.old)?\.(new|old|gone)")

Result = TypeVar("Result")


class CheckpointError(EconAgentsError):
    """A checkpoint is missing, damaged, or of another version or shape."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """Contents of a checkpoint, checked against their checksums."""

    path: Path
    """Folder of the checkpoint."""
    arrays: dict[str, dict[str, torch.Tensor]]
    """Tensors on the CPU, by group (the name of the file) and name."""
    state: dict[str, Any]
    """State as plain JSON data."""
    checksum: str
    """Checksum of ``state.json``, which holds those of all files: two checkpoints share it only if
    they are copies."""

    def group(self, name: str) -> dict[str, torch.Tensor]:
        """Tensors of a group by name; ``CheckpointError`` if the checkpoint lacks the group."""
        if name not in self.arrays:
            raise CheckpointError(f"{self.path / name}.safetensors is missing")
        return self.arrays[name]

    def count(self, name: str) -> int:
        """The whole number >= 0 of this name; ``CheckpointError`` if the state has none."""
        value = self.state.get(name)
        if not is_count(value):
            raise CheckpointError(
                f"{self.path / STATE_FILE}: {name!r} must be a whole number >= 0, got {value!r:.60}"
            )
        return value

    def counts(self, name: str) -> dict[str, int]:
        """The whole numbers by text of this name; ``CheckpointError`` if it holds something else.

        A checkpoint without the name, as older programs saved it, has none.
        """
        value = self.state.get(name, {})
        if not isinstance(value, dict) or not all(map(is_count, value.values())):
            raise CheckpointError(
                f"{self.path / STATE_FILE}: {name!r} must hold whole numbers >= 0 by name, got "
                f"{value!r:.60}"
            )
        return value

    def number(self, name: str) -> float | None:
        """The number of this name, or null; ``CheckpointError`` if the state has something else."""
        value: float | None = self.state.get(name)
        if value is not None and type(value) not in (int, float):
            raise CheckpointError(
                f"{self.path / STATE_FILE}: {name!r} must be a number or null, got {value!r:.60}"
            )
        return value

    @property
    def config(self) -> dict[str, Any]:
        """The configuration as it is saved; ``CheckpointError`` if there is none."""
        config = self.state.get("config")
        if not isinstance(config, dict):
            raise CheckpointError(
                f"{self.path / STATE_FILE} holds no configuration: it was saved by another program"
            )
        return config


@dataclass(frozen=True, kw_only=True)
class _Head:
    """Contents of ``state.json``, checked against its own checksum."""

    serial: int
    files: dict[str, tuple[str, int]]
    """Checksum and size in bytes of every file, by its name."""
    state: dict[str, Any]
    checksum: str
    """Checksum of the whole file."""


def periodic_name(episode: int) -> str:
    """Name of the checkpoint after ``episode`` episodes, as in ``episode_000200``."""
    return f"episode_{episode:06d}"


def save_checkpoint(folder: Path, name: str, arrays: Arrays, state: Mapping[str, Any]) -> Path:
    """Write the checkpoint ``<folder>/<name>``, replacing an existing one of this name.

    Args:
        folder: folder of the checkpoints; it is made if it does not exist.
        name: small letters, digits and ``_``, as in ``best``, ``final`` or ``episode_000200``.
        arrays: tensors or arrays by group and name; a group becomes ``<group>.safetensors``.
        state: plain JSON data with text as keys and finite numbers.

    Returns:
        The folder of the checkpoint.

    Raises:
        ValueError: a name is not allowed, ``state`` has no JSON form, or a file gets too large.
        OSError: writing failed, for example on a full disk; earlier checkpoints remain.
    """
    for each in (name, *arrays):
        if not _NAME.fullmatch(each):
            raise ValueError(
                f"{each!r} cannot name a checkpoint or a group of its arrays: use up to 64 small "
                "letters, digits and '_', beginning with a letter"
            )
    try:
        json.dumps(state, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the state of checkpoint {name!r} has no JSON form: {error}") from error
    make_private_folder(folder)
    _settle(folder)
    target, new, old = folder / name, folder / f".{name}.new", _aside(folder / name)
    make_private_folder(new)
    files: dict[str, dict[str, Any]] = {}
    for group, tensors in arrays.items():
        data = safetensors.torch.save({key: _stored(value) for key, value in tensors.items()})
        left = MAX_FILE_BYTES - sum(file["bytes"] for file in files.values())
        _write(new / f"{group}.safetensors", data, left)
        files[f"{group}.safetensors"] = {"sha256": sha256(data), "bytes": len(data)}
    serial = 1 + max(map(_serial, _checkpoints(folder)), default=0)
    document = {"version": FORMAT_VERSION, "serial": serial, "files": files, "state": state}
    _write(new / STATE_FILE, seal(document), MAX_STATE_BYTES)
    sync_folder(new)
    if target.exists():
        target.rename(old)
    new.rename(target)
    sync_folder(folder)
    if old.exists():
        _discard(old)
    return target


def load_checkpoint(path: Path) -> Checkpoint:
    """Read the checkpoint in the folder ``path`` after checking all of it.

    Raises:
        CheckpointError: it is missing, damaged or of another version. The message names the file,
            and the latest intact checkpoint in the same folder.
    """
    try:
        return _load(path.absolute())
    except CheckpointError as error:
        raise CheckpointError(f"{error}. {_offer(path.absolute().parent)}") from error


def latest_checkpoint(folder: Path) -> Path | None:
    """Find the checkpoint of ``folder`` that was saved last; None if there is none.

    Raises:
        CheckpointError: a checkpoint does not say when it was saved, because its ``state.json`` is
            damaged or of another version. It may be the last one: skipping it would hide that.
    """
    try:
        saved = [(_read_head(path).serial, path) for path in _checkpoints(folder)]
    except CheckpointError as error:
        raise CheckpointError(f"{error}. {_offer(folder)}") from error
    return max(saved)[1] if saved else None


def keep_last(folder: Path, k: int) -> list[str]:
    """Remove all periodic checkpoints (``episode_…``) but the ``k`` that were saved last.

    The order of saving counts, not the number of episodes: a run that went back to an earlier
    checkpoint would otherwise lose its new ones. One with a damaged ``state.json`` counts as the
    oldest.

    Returns:
        Names of the removed checkpoints. ``best`` and ``final`` are never among them.
    """
    if k < 1:
        raise ValueError(f"at least one checkpoint must be kept, not {k}")
    periodic = [path for path in _checkpoints(folder) if _PERIODIC.fullmatch(path.name)]
    removed = sorted(periodic, key=_serial)[:-k]
    for path in removed:
        _discard(_place(path))
    return [path.name for path in removed]


def _load(path: Path) -> Checkpoint:
    head = _read_head(path)
    left = _readable_bytes()
    arrays = {}
    for file_name, (checksum, size) in head.files.items():
        match = _FILE.fullmatch(file_name)
        if match is None:
            raise CheckpointError(
                f"{path / STATE_FILE} lists the file {file_name!r}, whose name is not allowed"
            )
        file = _place(path) / file_name
        left -= size
        if left < 0:
            raise CheckpointError(
                f"{file} is too large: a checkpoint may have {_readable_bytes():,} bytes here"
            )
        arrays[match.group(1)] = _read_arrays(file, checksum, size)
    return Checkpoint(path=path, arrays=arrays, state=head.state, checksum=head.checksum)


def _read_arrays(file: Path, checksum: str, size: int) -> dict[str, torch.Tensor]:
    data = _read(file, size)
    if len(data) != size or sha256(data) != checksum:
        raise CheckpointError(f"{file} is damaged: its size or checksum is not as saved")
    if int.from_bytes(data[:8], "little") > MAX_HEADER_BYTES:
        raise CheckpointError(f"{file} is not a safetensors file: its header is too long")
    try:
        return safetensors.torch.load(data)
    except Exception as error:
        # The reader raises many kinds of errors, some of them for types that torch does not have.
        raise CheckpointError(f"{file} is not a safetensors file: {error!r}") from error


def _readable_bytes() -> int:
    """Largest size of all files of arrays together: half of the memory, if that is less."""
    if not hasattr(os, "sysconf"):  # Windows
        return MAX_FILE_BYTES
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(MAX_FILE_BYTES, memory // 2)


def _read_head(path: Path) -> _Head:
    file = _place(path) / STATE_FILE
    raw = _read(file, MAX_STATE_BYTES)
    try:
        document = unseal(raw)
    except ValueError as error:
        raise CheckpointError(f"{file} is damaged: {error}") from error
    version = document.get("version")
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{file} has the format version {version!r}, and this program reads "
            f"{FORMAT_VERSION}: use the program that wrote it, or train anew"
        )
    serial, listed, state = (document.get(name) for name in ("serial", "files", "state"))
    if not (is_count(serial) and isinstance(listed, dict) and isinstance(state, dict)):
        raise CheckpointError(
            f"{file} is not laid out as a checkpoint: it needs a serial number, files and a state"
        )
    files = {}
    for name, entry in listed.items():
        known = isinstance(entry, dict) and isinstance(entry.get("sha256"), str)
        if not known or not is_count(entry.get("bytes")):
            raise CheckpointError(
                f"{file} is not laid out as a checkpoint: {name!r} needs a size and a checksum"
            )
        files[name] = (entry["sha256"], entry["bytes"])
    return _Head(serial=serial, files=files, state=state, checksum=sha256(raw))


def is_count(value: object) -> TypeGuard[int]:
    """Return True for a whole number >= 0 that fits into 63 bits."""
    return type(value) is int and 0 <= value < 2**63


def _read(file: Path, limit: int) -> bytes:
    try:
        return read_regular(file, limit)
    except Unreadable as error:
        raise CheckpointError(f"{file} {error}") from error


def _write(file: Path, data: bytes, limit: int) -> None:
    if len(data) > limit:
        raise ValueError(f"{file} would have {len(data):,} bytes; at most {limit:,} are allowed")
    write_durably(file, data)


def _offer(folder: Path) -> str:
    """Name the latest intact checkpoint of ``folder`` in a sentence."""
    for path in sorted(_checkpoints(folder), key=_serial, reverse=True):
        if _attempt(_load, path):
            return f"The latest intact checkpoint in this folder: {path}"
    return f"No checkpoint in {folder} is intact"


def _serial(path: Path) -> int:
    """Place of ``path`` in the order of saving, from 1; 0 if it cannot be read."""
    head = _attempt(_read_head, path)
    return head.serial if head else 0


def _attempt(read: Callable[[Path], Result], path: Path) -> Result | None:
    try:
        return read(path)
    except CheckpointError:
        return None


def _checkpoints(folder: Path) -> list[Path]:
    """Checkpoints of ``folder``, sorted by name; a renamed ``.<name>.old`` counts as ``<name>``.

    A folder without ``state.json`` is not a checkpoint: no save leaves one behind.
    """
    if not folder.is_dir():
        return []
    names = (entry.name.removeprefix(".").removesuffix(".old") for entry in folder.iterdir())
    found = (folder / name for name in sorted(set(names)) if _NAME.fullmatch(name))
    return [path for path in found if _is_checkpoint(_place(path))]


def _is_checkpoint(place: Path) -> bool:
    # A link would lead out of the folder.
    return not place.is_symlink() and (place / STATE_FILE).is_file()


def _place(path: Path) -> Path:
    """Folder that holds the checkpoint ``path``: itself, or its ``.old`` if a save was cut off."""
    aside = _aside(path)
    return aside if aside.is_dir() and not path.exists() else path


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _settle(folder: Path) -> None:
    """Clean up after a save that was cut off."""
    for path in _checkpoints(folder):
        if (place := _place(path)) != path:
            place.rename(path)
    for entry in list(folder.iterdir()):
        if _LEFTOVER.fullmatch(entry.name) and _holds_a_checkpoint_alone(entry):
            shutil.rmtree(entry)


def _holds_a_checkpoint_alone(entry: Path) -> bool:
    """Return True for a folder with nothing in it but files of a checkpoint, whole or cut off.

    A folder that the user names may hold hidden ones of other programs, ``.vim.old`` for example.
    """
    if entry.is_symlink() or not entry.is_dir():
        return False
    names = (file.name for file in entry.iterdir())
    return all(name == STATE_FILE or _FILE.fullmatch(name) for name in names)


def _discard(place: Path) -> None:
    """Remove a checkpoint. It is renamed first, so that a half removed one is not read as one."""
    gone = place.with_name(f".{place.name.strip('.')}.gone")
    place.rename(gone)
    shutil.rmtree(gone)


def _stored(value: torch.Tensor | npt.NDArray[Any]) -> torch.Tensor:
    # Copy, because safetensors refuses tensors that share memory.
    tensor = torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value
    return tensor.detach().cpu().contiguous().clone()


_ZEROS = "0" * 64
_HEAD = re.compile(rb'\{\n "sha256": "([0-9a-f]{64})",\n')


def sha256(data: bytes) -> str:
    """Checksum of ``data``, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def seal(document: Mapping[str, Any]) -> bytes:
    """Write ``document`` (not empty, finite numbers) as JSON that begins with its checksum.

    The checksum covers all bytes, with its own digits taken as zeros.
    """
    text = json.dumps({"sha256": _ZEROS, **document}, indent=1, allow_nan=False)
    return text.replace(_ZEROS, sha256(text.encode()), 1).encode()


def unseal(data: bytes) -> dict[str, Any]:
    """Read a document that :func:`seal` wrote.

    Raises:
        ValueError: ``data`` does not come from :func:`seal`, or has changed.
    """
    match = _HEAD.match(data)
    if match is None:
        raise ValueError("it does not begin with a checksum")
    unsigned = data.replace(match.group(1), _ZEROS.encode(), 1)
    if sha256(unsigned).encode() != match.group(1):
        raise ValueError("its checksum is not as saved")
    try:
        document: dict[str, Any] = json.loads(
            data, parse_float=_finite, parse_constant=_not_a_number
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if _is_deep(document):
        raise ValueError("it is nested too deeply")
    # Half a surrogate pair is no text: it could be neither printed nor written.
    json.dumps(document, ensure_ascii=False).encode()
    del document["sha256"]
    return document


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_a_number(text)


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"it holds {text}, which is no finite number")


def _is_deep(document: object) -> bool:
    """Return True if lists and mappings are nested more than ``MAX_DEPTH`` deep."""
    layer = [document]
    for _ in range(MAX_DEPTH):
        layer = [
            item
            for outer in layer
            if isinstance(outer, (dict, list))
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(item, (dict, list)) for item in layer)
