"""Tests that the measured numbers in documents are those of the committed result files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.result_tables import DOCUMENTS, TABLES, with_tables

RESULTS = Path("benchmarks", "results")


def summary(repository: Path, part: str) -> dict[str, Any]:
    path = repository / RESULTS / f"learning_{part}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["summary"]
    return found


def simulated(found: dict[str, Any]) -> list[str]:
    nash = [found[f"{who}nash_conv"] for who in ("untrained_", "")]
    return [
        f"{100 * found['share_of_gap_closed']['mean']:.0f}% of the gap",
        f"{nash[0]['mean']:.2f} to {nash[1]['mean']:.3f}",
        f"worst seed {max(nash[1]['values']):.3f}",
    ]


@pytest.mark.parametrize("part", [simulated])
def test_readme_shows_what_was_measured(repository: Path, part: Any) -> None:
    section = (repository / "README.md").read_text(encoding="utf-8")
    section = section.partition("## What learning is worth")[2].partition("\n## ")[0]
    section = " ".join(section.split())
    for number in part(summary(repository, part.__name__)):
        assert number in section, number


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tables_are_those_of_the_result_files(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run scripts/result_tables.py"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_stands_somewhere(name: str) -> None:
    assert any(f"<!-- {name}: begin -->" in path.read_text("utf-8") for path in DOCUMENTS)
