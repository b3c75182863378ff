"""Measure the speed of the environment's parts: rates and ratios, each within one run.

    python -m benchmarks.throughput                        # everything
    python -m benchmarks.throughput --parts simulator      # one part
    python -m benchmarks.throughput --parts api_client api_openai api_episodes
    python -m benchmarks.throughput --parts local --local.model FOLDER --local.gguf FILE

Writes benchmarks/results/throughput.json (parts that were not measured keep their old entry) and
prints a table. Rates depend on the machine and on its load; ratios compare two things that were
measured in turn, repeat by repeat, in one process. The api_ parts and "vectorised" speak to a
server on this machine that answers after a fixed time; they need the extras "bench" and "trainers".
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.throughput.api_client import measure_api_client
from benchmarks.throughput.api_episodes import measure_api_episodes
from benchmarks.throughput.api_many import measure_api_many
from benchmarks.throughput.api_openai import measure_api_openai
from benchmarks.throughput.api_servers import measure_api_servers
from benchmarks.throughput.in_process import (
    measure_embedders,
    measure_grader,
    measure_simulator,
)
from benchmarks.throughput.language_model import measure_language_model
from benchmarks.throughput.local import measure_local
from benchmarks.throughput.settings import Part, Result, Settings, Skipped
from benchmarks.throughput.timing import machine
from benchmarks.throughput.vectorised import measure_vectorised
from econ_console.program import run_program

LIBRARIES = (
    *("torch", "transformers", "tokenizers", "numpy", "gymnasium", "pettingzoo"),
    *("requests", "urllib3"),
)

STAMPED = ("date", "machine", "versions")
"""Entries of every part about the origin of its numbers."""

MEASURES: dict[Part, Callable[[Settings], Result]] = {
    "language_model": measure_language_model,
    "local": measure_local,
    "simulator": measure_simulator,
    "grader": measure_grader,
    "embedders": measure_embedders,
    "api_client": measure_api_client,
    "api_many": measure_api_many,
    "api_openai": measure_api_openai,
    "api_episodes": measure_api_episodes,
    "api_servers": measure_api_servers,
    "vectorised": measure_vectorised,
}


def main(settings: Settings) -> int:
    """Measure, write the file and print the table; return the exit code."""
    return run_program("benchmarks.throughput", lambda: _measure(settings))


def _measure(settings: Settings) -> int:
    if "api_openai" in settings.parts and find_spec("openai") is None:
        # Reported before anything is measured, not after minutes.
        raise BenchmarkError(
            "the part api_openai needs the openai client: pip install -e '.[bench]', or choose "
            "other parts with --parts"
        )
    results: Result = {}
    if settings.out.is_file():
        results = json.loads(settings.out.read_text(encoding="utf-8"))
    skipped: dict[Part, str] = {}
    for number, part in enumerate(settings.parts, start=1):
        print(f"part {number} of {len(settings.parts)}: {part}", file=sys.stderr, flush=True)
        stamp = _stamp()  # before the part, since it holds the load of the machine
        try:
            results[part] = MEASURES[part](settings) | stamp
        except Skipped as reason:
            skipped[part] = str(reason)
            continue
        # Written after every part, so that an interruption loses at most one.
        settings.out.parent.mkdir(parents=True, exist_ok=True)
        settings.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for part in settings.parts:
        if part in skipped:
            print(f"\n{part}\n  skipped: {skipped[part]}")
            continue
        print(f"\n{part}")
        for key, value in results[part].items():
            if key not in STAMPED:
                print(f"  {key:40} {_shown(value)}")
    print(f"\nwritten to {settings.out}")
    return 0


def _stamp() -> Result:
    """Return date, machine and library versions of a measurement."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in LIBRARIES},
        },
    }


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    if isinstance(value, list):
        return " to ".join(map(_shown, value))
    return str(value)
