"""The tutorial runs from its first cell to its last, and is committed without outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TUTORIAL = Path("examples", "tutorial.ipynb")


def code_cells(repository: Path) -> list[dict[str, Any]]:
    notebook = json.loads((repository / TUTORIAL).read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_the_cells_run_in_order_and_leave_a_page(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(code_cells(repository), start=1):
        source = "".join(cell["source"])
        source = source.replace("EPISODES = 600", "EPISODES = 20").replace("=200", "=8")
        exec(compile(source, f"{TUTORIAL}, cell {number}", "exec"), names)  # noqa: S102 - our own
    assert names["EPISODES"] == 20
    said = capsys.readouterr().out
    assert "Baseline (no BNE): " in said
    page = names["run"] / "report.html"
    assert page.as_uri() in said
    assert "<html" in page.read_text(encoding="utf-8")


def test_it_is_committed_without_outputs(repository: Path) -> None:
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells(repository)
    )
