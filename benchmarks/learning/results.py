"""Files of results that several processes fill, one finished part after the other."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from filelock import FileLock

from benchmarks.throughput.timing import machine
from econ_agents.statistics import Interval, mean_interval

Result: TypeAlias = dict[str, Any]
"""JSON-serialisable."""

RESULTS = Path(__file__).parents[1] / "results"
"""Where results are kept."""
WORK = Path("runs", "learning")
"""Where runs are kept that a benchmark may have to go on with."""
LIBRARIES = ("torch", "numpy", "scipy", "gymnasium", "pettingzoo")


class SettingsDiffer(Exception):
    """A file holds results of other settings, beside which new ones would mean nothing."""


class ResultFile:
    """A JSON file of finished parts by name, all of the same settings.

    Every part is on the disk when :meth:`put` returns. Processes may share a file: each change
    reads it anew, under a lock.

    Args:
        path: of the file; a file that is there is gone on with.
        settings: all that its parts depend on besides their names, as JSON takes it.

    Raises:
        SettingsDiffer: the file that is there was made with other settings.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], libraries: Sequence[str] = ()):
        self.path = path
        self._settings = json.loads(json.dumps(settings))
        self._libraries = (*LIBRARIES, *libraries)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(f"{path}.lock")
        with self._lock:
            content = self._read()
        differing = [
            key for key, value in self._settings.items() if content["settings"].get(key) != value
        ]
        if differing:
            raise SettingsDiffer(
                f"{path} holds results of other settings ({', '.join(differing)} differ): start "
                "anew with --fresh, or write to another file with --out"
            )

    def parts(self) -> dict[str, Result]:
        """The finished parts by name."""
        with self._lock:
            parts: dict[str, Result] = self._read()["parts"]
        return parts

    def put(self, name: str, part: Mapping[str, Any]) -> None:
        """Keep a finished part, with when and where it was made."""
        stamp = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": {
                "python": platform.python_version(),
                **{library: version(library) for library in self._libraries},
            },
        }
        with self._lock:
            content = self._read()
            content["parts"][name] = {**part, **stamp}
            content["parts"] = dict(sorted(content["parts"].items()))
            self._write(content)

    def summarise(self, summary: Mapping[str, Any]) -> None:
        """Keep what the parts say together."""
        with self._lock:
            self._write({**self._read(), "summary": summary})

    def _read(self) -> Result:
        if not self.path.is_file():
            return {"settings": self._settings, "parts": {}, "summary": {}}
        content: Result = json.loads(self.path.read_text(encoding="utf-8"))
        return content

    def _write(self, content: Result) -> None:
        # Written aside first: an interruption leaves the file as it was.
        aside = self.path.with_suffix(".json.part")
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(aside, self.path)  # noqa: PTH105 - the name says that nothing is lost


def over_seeds(values: Sequence[float]) -> Result:
    """Mean with its bootstrap interval over seeds, and the values; no interval of fewer than 2."""
    found: Result = {"mean": float(np.mean(values)), "values": list(values)}
    if len(values) > 1:
        interval: Interval = mean_interval(values, seed=0)
        found |= {"low": interval.low, "high": interval.high}
    return found
