"""Tests of all examples: each is short, says what it shows, and is listed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_a_docstring_and_at_most_60_lines(example: Path) -> None:
    source = example.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 60
    assert ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_readme_of_the_examples_lists_it(example: Path) -> None:
    assert f"({example.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")
