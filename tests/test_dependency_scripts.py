"""The oldest versions that are tested, and what can be installed beside other libraries."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import resolve_neighbours
from scripts.oldest_versions import oldest
from scripts.resolve_neighbours import resolve, versions


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


def test_versions_are_read_by_canonical_names() -> None:
    resolved = "Hydra_Core==1.3.8\necon-env @ file:///somewhere\n# a comment\ntorch==2.13.0+cpu\n"
    assert versions(resolved) == {"hydra-core": "1.3.8", "torch": "2.13.0+cpu"}


def test_what_the_resolver_says_of_its_failure_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("uv")
    with pytest.raises(subprocess.CalledProcessError) as failure:
        resolve(("hydra-core>=1.3",), project=tmp_path)  # an empty folder
    assert "pyproject.toml" in failure.value.stderr


def test_a_group_without_a_solution_fails_and_the_next_one_is_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def resolve(neighbours: tuple[str, ...]) -> str:
        if "benchmarl>=1.5" in neighbours:
            raise subprocess.CalledProcessError(
                1, "uv", stderr="Because benchmarl needs the moon\n"
            )
        names = ("hydra-core", "omegaconf", "agilerl", *resolve_neighbours.SHOWN)
        return "".join(f"{name}==7.0\n" for name in names)

    monkeypatch.setattr(resolve_neighbours, "resolve", resolve)
    assert resolve_neighbours.main() == 1
    shown = capsys.readouterr().out
    assert "no solution: Because benchmarl needs the moon" in shown
    assert "hydra-core 7.0, omegaconf 7.0, agilerl 7.0, antlr4-python3-runtime 7.0" in shown
