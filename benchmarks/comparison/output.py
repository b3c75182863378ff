"""The files of a finished comparison."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.comparison.findings import Comparison
from benchmarks.comparison.picture import draw
from benchmarks.comparison.table import markdown_lines
from econ_files.durable import replace_file

COMPARISON_FILE = "comparison.json"
TABLES_FILE = "comparison.md"


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write numbers, tables and picture; return the paths of the files."""
    texts = {
        COMPARISON_FILE: json.dumps(comparison.to_json(), indent=1),
        TABLES_FILE: "\n".join(markdown_lines(comparison)),
    }
    for name, text in texts.items():
        replace_file(folder / name, f"{text}\n".encode())
    return [*(folder / name for name in texts), *draw(comparison, folder)]
