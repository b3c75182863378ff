"""Tests of packaging: imports are declared, declarations are pinned, all files are shipped."""

from __future__ import annotations

import ast
import importlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from econ_agents.config.files import PRESETS, preset_names

PACKAGES = ("econ_env", "econ_agents", "econ_console", "econ_files", "econ_pages")
PYTHONS = ("3.11", "3.12", "3.13")


def pins(root: Path, python: str) -> list[tuple[str, str]]:
    """Return the names and versions that hold on ``python``, in the order of the file."""
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
    project = read_project(repository)
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = [Requirement(text) for group in groups for text in group]
    assert {"torch", "gymnasium", "pytest", "ruff"} <= {each.name for each in declared}
    for each in declared:
        holds = each.marker is None or each.marker.evaluate({"python_version": python})
        if holds and each.name != "econ-env":  # an extra that contains another
            assert each.specifier.contains(pinned[canonicalize_name(each.name)]), each


@pytest.mark.parametrize(
    ("package", "extras"),
    [
        ("econ_env", ["inspect", "lm_eval", "local", "openenv", "render", "sb3", "torchrl"]),
        ("econ_agents", ["ray", "train"]),
        ("econ_console", []),
        ("econ_files", []),
        ("econ_pages", []),
    ],
)
def test_every_library_that_a_package_imports_is_declared(
    repository: Path, package: str, extras: list[str]
) -> None:
    project = read_project(repository)
    groups = [project["dependencies"], *(project["optional-dependencies"][name] for name in extras)]
    declared = {canonicalize_name(Requirement(text).name) for group in groups for text in group}
    owners = packages_distributions()
    brings_its_own = {"benchmarl"}  # another TorchRL than that of constraints.txt
    known = {*sys.stdlib_module_names, *PACKAGES, *brings_its_own}
    modules = set(imports(repository / package)) - known
    undeclared = {
        module
        for module in modules
        # An extra that is not installed here has the name of its module.
        if not declared.intersection(map(canonicalize_name, owners.get(module, [module])))
    }
    assert not undeclared


def test_the_oldest_torch_allowed_has_the_optimiser_of_the_training(repository: Path) -> None:
    (torch,) = (
        requirement
        for requirement in map(Requirement, read_project(repository)["dependencies"])
        if requirement.name == "torch"
    )
    assert not torch.specifier.contains("2.8.0")  # torch.optim.Muon came with 2.9
    assert torch.specifier.contains("2.9.0")


def test_what_the_packages_read_at_run_time_is_shipped_with_them(repository: Path) -> None:
    with (repository / "pyproject.toml").open("rb") as file:
        build = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]
    assert set(PACKAGES) <= set(build["wheel"]["packages"])
    assert {f"/{package}" for package in PACKAGES} <= set(build["sdist"]["include"])
    data = [repository / package / "py.typed" for package in PACKAGES]
    data += [PRESETS / f"{name}.yaml" for name in preset_names()]
    for path in data:
        assert path.is_file()
        assert repository / path.relative_to(repository).parts[0] in path.parents


def test_a_wheel_holds_what_runs_and_a_source_archive_how_it_was_made_too(
    repository: Path,
) -> None:
    with (repository / "pyproject.toml").open("rb") as file:
        build = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]
    assert build["wheel"] == {"packages": list(PACKAGES)}
    assert "/tools" in build["sdist"]["include"]
    assert [
        name for name in build["sdist"]["include"] if not (repository / name[1:]).exists()
    ] == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git knows what is ignored")
def test_git_ignores_nothing_of_the_packages(repository: Path) -> None:
    """Check that git ignores no file of the packages, since the build would silently omit it."""
    if not (repository / ".git").exists():
        pytest.skip("this is no clone")
    files = [
        str(path.relative_to(repository))
        for package in PACKAGES
        for path in (repository / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],  # noqa: S607 - whichever git there is
        cwd=repository,
        input="\n".join(files),
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(files) > len(PACKAGES)
    assert ignored.stdout.splitlines() == []


def test_every_command_that_is_installed_shows_its_help(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scripts = read_project(repository)["scripts"]
    assert set(scripts) == {"econ-env", "econ-agents"}
    for command, target in scripts.items():
        module, _, function = target.partition(":")
        try:
            code = getattr(importlib.import_module(module), function)(["--help"])
        except SystemExit as stop:  # as the script that pip writes would end
            code = stop.code
        assert code == 0
        assert capsys.readouterr().out.startswith(f"usage: {command} ")


def read_project(repository: Path) -> dict[str, Any]:
    """Return the table ``project`` of pyproject.toml."""
    with (repository / "pyproject.toml").open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    return project


def imports(folder: Path) -> Iterator[str]:
    """Return the top-level modules that the sources in ``folder`` import anywhere."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
