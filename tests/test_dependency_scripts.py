"""The oldest versions that are tested, and what pip chooses beside other libraries."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import resolve_neighbours
from scripts.oldest_versions import oldest
from scripts.resolve_neighbours import complaints, pinned_torch, versions

TODAY = {"econ-env": "0.1.0", "hydra-core": "1.3.8", "omegaconf": "2.3.1", "torch": "2.13.0+cpu"}


def test_every_dependency_of_the_tests_is_tested_at_its_lower_bound(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    found = [Requirement(each) for each in oldest(project, ["test", "wandb"])]
    names = [each.name for each in found]
    assert len(set(names)) == len(names)
    assert {"torch", "transformers", "gymnasium", "pytest", "tensorboard", "wandb"} <= set(names)
    assert "econ-env" not in names
    assert all(str(each.specifier).startswith("==") for each in found)


def test_a_bound_is_turned_into_the_version_that_it_names() -> None:
    project = {
        "name": "econ-env",
        "dependencies": ["b>=1.2,<=2,!=1.3.*", "a[x]>=3", "c>=1; python_version < '3'"],
        "optional-dependencies": {"all": ["econ-env[one]", "d==4"], "one": ["e>=5"], "two": ["f"]},
    }
    assert oldest(project, ["all"]) == ["a[x]==3", "b==1.2", "d==4", "e==5"]
    with pytest.raises(ValueError, match="no single lower bound in 'f'"):
        oldest(project, ["two"])


def test_versions_of_today_are_accepted() -> None:
    assert complaints(TODAY, ["hydra-core"], torch=pinned_torch()) == []


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("hydra-core", "0.11.3", "hydra-core 0.11.3 is older than 1.3"),
        ("benchmarl", "0.0.1", "benchmarl 0.0.1 is older than 1.5"),
        ("torch", "2.14.0", "torch 2.14.0 is not torch==2.13.0"),
    ],
)
def test_a_version_that_pip_went_back_to_is_named(name: str, version: str, said: str) -> None:
    (found,) = complaints({**TODAY, name: version}, ["hydra-core"], torch=pinned_torch())
    assert found.startswith(said)


def test_a_neighbour_that_is_not_installed_is_named() -> None:
    assert complaints(TODAY, ["agilerl"], torch=pinned_torch()) == ["agilerl is missing."]


def test_a_report_of_pip_is_read_by_canonical_names() -> None:
    report = {"install": [{"metadata": {"name": "Hydra_Core", "version": "1.3.8"}}]}
    assert versions(report) == {"hydra-core": "1.3.8"}


def test_a_group_without_a_solution_fails_and_the_next_one_is_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def resolve(neighbours: tuple[str, ...]) -> dict[str, str]:
        if "benchmarl" in neighbours:
            raise subprocess.CalledProcessError(1, "pip")
        return {**TODAY, "agilerl": "2.58.0"}

    monkeypatch.setattr(resolve_neighbours, "resolve", resolve)
    assert resolve_neighbours.main() == 1
    shown = capsys.readouterr().out
    assert "pip found no versions" in shown
    assert "econ-env 0.1.0, hydra-core 1.3.8, omegaconf 2.3.1, agilerl 2.58.0, torch" in shown
