"""Tests of the recorded example: it repeats from its file alone, with the same numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.record_example import EXPECTED, RECORDING, SAME_ARITHMETIC, made_with, numbers

LARGEST = 2 * 2**20
"""Largest size of the recording in bytes, since every clone downloads it."""
LEARNED = ("train/", "collection/temperature/", "collection/repetition_penalty/")
"""Metrics that depend on the last bits of the learner's arithmetic; others follow from texts."""


def replay(
    repository: Path,
    folder: Path,
    *changes: str,
    shake: float = 0.0,
    environment: Mapping[str, str] = SAME_ARITHMETIC,
) -> subprocess.CompletedProcess[str]:
    """Train and test in ``folder``, from a read-only copy of the recording."""
    (folder / "kept").mkdir()
    recording = Path(shutil.copy(RECORDING, folder / "kept"))
    recording.chmod(0o400)
    recording.parent.chmod(0o500)
    command = [sys.executable, "-m", "tests.replayed_training"]
    try:
        return subprocess.run(
            [*command, str(recording), str(folder / "run"), str(shake), *changes],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(repository), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        recording.parent.chmod(0o700)


def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return found


def spoken(found: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers that follow from texts: rewards, accuracies, tokens, the whole test."""
    metrics = [
        {name: value for name, value in line.items() if not name.startswith(LEARNED)}
        for line in found["metrics"]
    ]
    return {"metrics": metrics, "report": found["report"]}


def learned(found: dict[str, Any]) -> list[dict[str, float]]:
    return [
        {name: value for name, value in line.items() if name.startswith(LEARNED)}
        for line in found["metrics"]
    ]


@pytest.mark.slow
def test_training_and_test_come_to_the_recorded_numbers(repository: Path, tmp_path: Path) -> None:
    done = replay(repository, tmp_path)
    assert done.returncode == 0, done.stderr
    found, kept = numbers(tmp_path / "run"), expected()
    assert spoken(found) == spoken(kept)
    if made_with() == kept["made_with"]:
        assert learned(found) == learned(kept)
    for line, other in zip(learned(found), learned(kept), strict=True):
        assert line == pytest.approx(other, rel=1e-3, abs=1e-6)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_processor_that_computes_otherwise_asks_the_same(
    repository: Path, tmp_path: Path
) -> None:
    # Its last bits move an action by some 1e-7, as without SAME_ARITHMETIC they do here.
    done = replay(repository, tmp_path, shake=1e-5, environment={})
    assert done.returncode == 0, done.stderr
    assert spoken(numbers(tmp_path / "run")) == spoken(expected())


@pytest.mark.exhaustive
@pytest.mark.slow
def test_another_run_is_told_that_it_was_not_recorded(repository: Path, tmp_path: Path) -> None:
    done = replay(repository, tmp_path, "seed=1")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "completions.sqlite does not hold 10 of 10 requests" in done.stderr
    assert "must have the seeds, settings, questions and version of the recorded run" in done.stderr


def test_the_recording_is_small_and_tells_nothing_of_where_it_was_made() -> None:
    data = RECORDING.read_bytes()
    assert len(data) <= LARGEST
    for word in (b"Authorization", b"Bearer", b"api_key", b"sk-", b"/home/", b"/tmp/", b"/work"):
        assert word not in data
