"""Tests of all examples: each is short, says what it shows, and is listed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts.third_party import PINS, TRIALS, Trial

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_a_docstring_and_at_most_60_lines(example: Path) -> None:
    source = example.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 60
    assert ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_trial_of_another_library_is_short_and_its_environment_is_pinned(trial: Trial) -> None:
    source = trial.path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 40
    assert ast.get_docstring(ast.parse(source))
    if trial.environment:
        pins = (PINS / f"{trial.environment}.txt").read_text(encoding="utf-8")
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins.splitlines())
        assert f"\n{trial.library}==" in pins or trial.library == "epymarl"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_readme_of_the_examples_lists_it(example: Path) -> None:
    assert f"({example.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")
