"""Record the example of examples/recorded: train and test a small team on models behind HTTP.

    python benchmarks/record_example.py

It serves the bundled models, runs `econ-agents train` and `econ-agents test` while recording the
models' answers, runs both again from the recording alone, and writes their numbers beside it. It
takes about a minute. A new recording is needed only when the example's settings, the prompts, or
the learner change; the test of the recording then says so.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tyro

# Run as a script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.serve_bundled import PORT
from benchmarks.serving.server import BundledServer
from econ_agents.evaluation.report import REPORT_FILE
from econ_agents.logging.metrics_log import deterministic, read_metrics

EXAMPLE = Path(__file__).parents[1] / "examples" / "recorded"
CONFIG = EXAMPLE / "config.yaml"
RECORDING = EXAMPLE / "completions.sqlite"
EXPECTED = EXAMPLE / "expected.json"

SAME_ARITHMETIC: Mapping[str, str] = {
    # torch's kernels without the vector units that only some processors have,
    "ATEN_CPU_CAPABILITY": "default",
    # matrix products in the order that MKL takes on every processor,
    "MKL_CBWR": "COMPATIBLE",
    # and sums that are not divided among threads.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Environment variables with which torch gives the same bits on every x86-64 processor. Without
them losses differ from the fifth digit on; the models' prompts and answers do not."""


def assignments(recording: Path, cache: str) -> list[str]:
    """Return the overrides of the example's configuration that name its recording and its mode."""
    return [f"env.kwargs.cache_path={recording}", f"env.kwargs.cache={cache}"]


def numbers(log_dir: Path) -> dict[str, Any]:
    """Return everything that a run measured, except times."""
    report: dict[str, Any] = json.loads((log_dir / REPORT_FILE).read_text(encoding="utf-8"))
    return {
        "metrics": [deterministic(line) for line in read_metrics(log_dir)],
        "report": report,
    }


def made_with() -> dict[str, str]:
    """Return what the last digits of losses depend on under :data:`SAME_ARITHMETIC`."""
    import torch

    return {"machine": platform.machine(), "torch": torch.__version__.partition("+")[0]}


def main() -> None:
    """Train and test the example on the bundled models behind HTTP, and record their answers."""
    RECORDING.unlink(missing_ok=True)
    with TemporaryDirectory() as folder:
        recorded, replayed = Path(folder) / "recorded", Path(folder) / "replayed"
        with BundledServer(PORT):
            _train_and_test(recorded, "read_write")
        _settle(RECORDING)
        _train_and_test(replayed, "replay")
        found = numbers(replayed)
        if found != numbers(recorded):
            sys.exit("the replay gave other numbers than the recorded run")
    text = json.dumps({"made_with": made_with(), **found}, indent=1)
    EXPECTED.write_text(text + "\n", encoding="utf-8")
    print(f"{RECORDING}: {RECORDING.stat().st_size} bytes")


def _train_and_test(log_dir: Path, cache: str) -> None:
    environment = {**os.environ, **SAME_ARITHMETIC}
    command = [sys.executable, "-m", "econ_agents.commands.cli"]
    changes = ["--set", *assignments(RECORDING, cache), "--log_dir", str(log_dir)]
    for arguments in (
        ["train", "--config", str(CONFIG), *changes],
        ["test", "--model_dir", str(log_dir), *changes],
    ):
        subprocess.run([*command, *arguments], env=environment, check=True)


def _settle(path: Path) -> None:
    """Shrink the recording to one file that can be read from a read-only folder."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")


if __name__ == "__main__":
    tyro.cli(main)
