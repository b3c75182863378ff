"""Transcripts and caches are readable by their owner only."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

import econ_env
from econ_env.commands.cli import main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}


def test_transcripts_of_play_are_private(tmp_path: Path) -> None:
    out = tmp_path / "games.jsonl"
    arguments = ["play", "--dataset", "simulated", "--llm", "simulated", "--questions", "2"]
    assert main([*arguments, "--out", str(out)]) == 0
    assert modes(tmp_path) == {"games.jsonl": "0o600"}
    out.chmod(0o644)
    assert main([*arguments, "--out", str(out)]) == 0
    assert modes(tmp_path) == {"games.jsonl": "0o644"}, "who shared the file did so on purpose"


def test_a_cache_and_the_files_beside_it_are_private(tmp_path: Path) -> None:
    env = econ_env.parallel_env(
        dataset="simulated",
        llm="simulated",
        cache="read_write",
        cache_path=tmp_path / "cache.sqlite",
    )
    env.reset(seed=0)
    found = modes(tmp_path)
    assert set(found) == {"cache.sqlite", "cache.sqlite-wal", "cache.sqlite-shm"}
    assert set(found.values()) == {"0o600"}
    env.close()
