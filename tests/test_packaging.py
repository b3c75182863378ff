"""constraints.txt pins everything that an installation takes, on every supported Python."""

from __future__ import annotations

from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def pins(root: Path, python: str) -> list[tuple[str, str]]:
    """Names and versions that hold on ``python``, in the order of the file."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [
        (canonicalize_name(each.name), str(each.specifier).removeprefix("=="))
        for each in requirements
        if each.marker is None or each.marker.evaluate({"python_version": python})
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_torch_is_pinned(repository: Path, python: str) -> None:
    assert dict(pins(repository, python))["torch"] == "2.13.0"


@pytest.mark.parametrize("python", PYTHONS)
def test_nothing_is_pinned_twice(repository: Path, python: str) -> None:
    names = [name for name, _ in pins(repository, python)]
    assert sorted(set(names)) == names


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_has_a_pin_that_it_accepts(repository: Path, python: str) -> None:
    pinned = dict(pins(repository, python))
    declared = [Requirement(text) for text in requires("econ-env") or []]
    assert {"torch", "gymnasium", "pytest", "ruff"} <= {each.name for each in declared}
    for each in declared:
        if each.name != "econ-env":  # an extra that contains another
            assert each.specifier.contains(pinned[canonicalize_name(each.name)]), each
