"""The files of a finished comparison."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.comparison.findings import Comparison
from benchmarks.comparison.picture import draw
from econ_agents.durable import replace_file

COMPARISON_FILE = "comparison.json"


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write numbers and picture; the paths of what was written."""
    path = folder / COMPARISON_FILE
    replace_file(path, (json.dumps(comparison.to_json(), indent=1) + "\n").encode())
    return [path, *draw(comparison, folder)]
