"""Files of results that several processes may fill, part by part."""

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
from scipy import stats

from benchmarks.errors import SettingsDiffer
from benchmarks.throughput.timing import machine
from econ_agents.statistics import CONFIDENCE

Result: TypeAlias = dict[str, Any]
"""Data that JSON can hold."""

RESULTS = Path(__file__).parents[1] / "results"
"""Folder of the results."""
WORK = Path("runs", "learning")
"""Folder of the training runs that a benchmark can continue."""
LIBRARIES = ("torch", "numpy", "scipy", "gymnasium", "pettingzoo")


class ResultFile:
    """A JSON file of finished parts by name, all with the same settings.

    Every part is on the disk when :meth:`put` returns. Processes may share a file: every change
    reads it again, under a lock.

    Args:
        path: path of the file; an existing file is continued.
        settings: everything that parts depend on besides their names, as plain data.
        libraries: names of further libraries whose versions are stored with each part.
        fresh: begin without the parts of an existing file, which is replaced with the first new
            one, so that nothing is lost if none comes.

    Raises:
        SettingsDiffer: the existing file was made with other settings.
    """

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        libraries: Sequence[str] = (),
        *,
        fresh: bool = False,
    ) -> None:
        self.path = path
        self._settings = json.loads(json.dumps(settings))
        self._libraries = (*LIBRARIES, *libraries)
        self._begins = fresh
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(f"{path}.lock")
        with self._lock:
            content = self._read()
        differing = [
            key for key, value in self._settings.items() if content["settings"].get(key) != value
        ]
        if differing:
            raise SettingsDiffer(
                f"{path} holds results of other settings ({', '.join(differing)} differ): delete "
                "them with --fresh, or write to another file with --out"
            )

    def parts(self) -> dict[str, Result]:
        """Return the finished parts by name."""
        with self._lock:
            parts: dict[str, Result] = self._read()["parts"]
        return parts

    def put(self, name: str, part: Mapping[str, Any]) -> None:
        """Store a finished part, with its date, machine and versions."""
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
        """Store the summary of all parts."""
        with self._lock:
            self._write({**self._read(), "summary": summary})

    def _read(self) -> Result:
        if self._begins or not self.path.is_file():
            return {"settings": self._settings, "parts": {}, "summary": {}}
        content: Result = json.loads(self.path.read_text(encoding="utf-8"))
        return content

    def _write(self, content: Result) -> None:
        # Written to another file first, so that an interruption leaves the old file intact.
        aside = self.path.with_suffix(".json.part")
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(aside, self.path)  # noqa: PTH105 - the name says that nothing is lost
        self._begins = False


def over_seeds(values: Sequence[float]) -> Result:
    """Return values, mean and, for two values or more, Student's 95% interval over seeds.

    Not a bootstrap's: over three to five seeds that one holds the mean in 75 to 82% of cases only.
    """
    found: Result = {"mean": float(np.mean(values)), "values": list(values)}
    if len(values) > 1:
        reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values)
        found |= {"low": found["mean"] - float(reach), "high": found["mean"] + float(reach)}
    return found
