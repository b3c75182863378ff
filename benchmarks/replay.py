"""Recordings of a comparison: pack the answers of a run, and repeat its tables without a model.

    python -m benchmarks.replay pack runs/real/completions.sqlite RECORDING.sqlite.xz
    python -m benchmarks.replay rows gsm8k --split test --data-path ROWS --out FOLDER
    python -m benchmarks.replay team runs/my_run benchmarks/teams/NAME/seed_0
    python -m benchmarks.replay play RECORDING.sqlite.xz --config CONFIG.yaml \
        --expect RESULT.json [--data-path ROWS]

A recording holds completions under the hashes of their requests, without the requests, so that it
contains no question of the data set. "rows" writes the checksums of the rows that were played,
which "play" finds in the folder of the recording. "team" keeps of a trained team what "econ" needs
to play: its policies and settings, without the episodes, the optimiser and the paths of rows and
caches. "play" needs the questions, from the hub or from
--data-path, and no model. It fails if any figure differs from the committed result, except those of
time.
"""

from __future__ import annotations

import argparse
import json
import lzma
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.comparison.command import main as compare
from benchmarks.comparison.flag_file import read_flags
from benchmarks.comparison.output import COMPARISON_FILE
from benchmarks.kept_team import keep_team
from benchmarks.recorded_rows import checksums_of, rows_file, write_rows
from econ_console.program import run_program
from econ_env.errors import UsageError

LARGEST_BYTES = 1 << 30
"""Largest size of an unpacked recording: a damaged or hostile file cannot fill the disk."""
_CHUNK_BYTES = 1 << 20
_TIMES = ("wall_s",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    chosen = _parser().parse_args(arguments)

    def run() -> int:
        if chosen.command == "pack":
            return pack(chosen.cache, chosen.recording)
        if chosen.command == "rows":
            return rows(chosen.dataset, chosen.split, chosen.data_path, chosen.out)
        if chosen.command == "team":
            return keep_team(chosen.run, chosen.folder)
        return play(chosen.recording, chosen.config, chosen.expect, chosen.data_path)

    return run_program("benchmarks.replay", run)


def pack(cache: Path, recording: Path) -> int:
    """Write the completions of a cache without their requests, compressed."""
    if not cache.is_file():
        raise UsageError(f"there is no cache {cache}")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "completions.sqlite"
        try:
            _copy_without_requests(cache, copy)
        except sqlite3.Error as error:
            raise UsageError(f"{cache} is not a cache of completions: {error}") from error
        recording.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("rb") as plain, lzma.open(recording, "wb", preset=9) as packed:
            shutil.copyfileobj(plain, packed)
    print(f"written: {recording} ({recording.stat().st_size / 1e6:.1f} MB)")
    return 0


def _copy_without_requests(cache: Path, copy: Path) -> None:
    with closing(sqlite3.connect(cache)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        # What is left to WAL mode would lie in a second file.
        target.execute("PRAGMA journal_mode = DELETE")
        target.execute("UPDATE completions SET request = ''")
        target.commit()
        target.execute("VACUUM")


def rows(dataset: str, split: str, data_path: Path | None, folder: Path) -> int:
    """Write the checksums of all rows of a split, which recordings in ``folder`` were made with."""
    path = rows_file(folder, dataset, split)
    found = checksums_of(dataset, split, data_path)
    path.write_text("".join(f"{one}\n" for one in found), encoding="utf-8")
    print(f"written: {path} ({len(found)} rows)")
    return 0


def play(recording: Path, config: Path, expect: Path, data_path: Path | None) -> int:
    """Repeat a comparison from its recording; return 1 if a figure differs from the result."""
    try:
        expected = json.loads(expect.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{expect} cannot be read as the result of a comparison: {error}"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "completions.sqlite"
        _unpack(recording, cache)
        log = Path(folder) / "comparison"
        flags = ["--config", str(config), "--log-dir", str(log)]
        flags += ["--cache", "replay", "--cache-path", str(cache)]
        flags += _data_flags(recording.parent, config, data_path, Path(folder))
        code = compare(flags)
        if code:
            return code
        found = json.loads((log / COMPARISON_FILE).read_text(encoding="utf-8"))
    differing = list(differences(expected, found))
    for line in differing:
        print(line, file=sys.stderr)
    print(f"{len(differing)} figures differ from {expect}" if differing else f"equal to {expect}")
    return 1 if differing else 0


def _data_flags(recordings: Path, config: Path, data_path: Path | None, folder: Path) -> list[str]:
    """Return the flags that name the rows of a recording, which are written to ``folder``."""
    compared = read_flags(["--config", str(config)], prog="benchmarks.replay")
    data_path = data_path or compared.data_path
    checksums = rows_file(recordings, compared.dataset, compared.split)
    if checksums.is_file():
        data_path = write_rows(checksums, compared.dataset, compared.split, data_path, folder)
    return [] if data_path is None else ["--data-path", str(data_path)]


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Return a line for every value that differs, except durations."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for key in dict.fromkeys([*expected, *found])
            if key not in _TIMES
            for line in differences(expected.get(key), found.get(key), f"{where}.{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = zip(expected, found, strict=True)
        return [
            line
            for index, (ours, theirs) in enumerate(pairs)
            for line in differences(ours, theirs, f"{where}[{index}]")
        ]
    return [] if expected == found else [f"{where.lstrip('.')}: {expected} there, {found} now"]


def _unpack(recording: Path, cache: Path) -> None:
    try:
        with lzma.open(recording, "rb") as packed, cache.open("wb") as plain:
            written = 0
            while chunk := packed.read(_CHUNK_BYTES):
                written += len(chunk)
                if written > LARGEST_BYTES:
                    raise UsageError(f"{recording} unpacks to more than {LARGEST_BYTES:,} bytes")
                plain.write(chunk)
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise UsageError(f"{recording} cannot be read as a recording: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="compress the completions of a cache")
    packing.add_argument("cache", type=Path, help="cache file of the run")
    packing.add_argument("recording", type=Path, help="file to write, .sqlite.xz")
    listing = commands.add_parser("rows", help="write the checksums of the rows of a split")
    listing.add_argument("dataset", help="name of a public data set")
    listing.add_argument("--split", default="test", help="split of the data set")
    listing.add_argument("--data-path", type=Path, help="folder with the rows of the data set")
    listing.add_argument("--out", type=Path, required=True, help="folder of the recordings")
    keeping = commands.add_parser("team", help="keep the policies of a trained team")
    keeping.add_argument("run", type=Path, help="folder of a run, or a checkpoint")
    keeping.add_argument("folder", type=Path, help="folder to write, a checkpoint without episodes")
    playing = commands.add_parser("play", help="repeat the tables of a recording")
    playing.add_argument("recording", type=Path, help="file that pack wrote")
    playing.add_argument("--config", type=Path, required=True, help="flags of the comparison")
    playing.add_argument("--expect", type=Path, required=True, help="its committed comparison.json")
    playing.add_argument("--data-path", type=Path, help="folder with the rows of the data set")
    return parser


if __name__ == "__main__":
    sys.exit(main())
