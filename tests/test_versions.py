"""Tests of versions: both packages share one, and both commands print it with the libraries'."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import econ_agents
import econ_env

HEAVY = {"datasets", "sentence_transformers", "torch", "transformers"}


def test_both_packages_have_the_version_that_is_installed() -> None:
    assert econ_env.__version__ == version("econ-env"), "run: make install"
    assert econ_agents.__version__ == econ_env.__version__


@pytest.mark.parametrize("package", ["econ_env", "econ_agents"])
def test_a_package_is_its_command_and_prints_versions_without_loading_what_is_heavy(
    package: str, repository: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", package, "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=repository,
    )
    program, python, *libraries = ran.stdout.splitlines()
    assert program == f"{package.replace('_', '-')} {econ_env.__version__}"
    assert python.startswith(f"Python {sys.version.split()[0]} on ")
    names = ("torch", "transformers", "gymnasium", "pettingzoo")
    assert libraries == [f"{name} {version(name)}" for name in names]
    imported = set(re.findall(r"\| +(\w+)$", ran.stderr, re.MULTILINE))
    assert "econ_env" in imported or "econ_agents" in imported
    assert not HEAVY & imported


def test_the_changelog_has_a_section_for_the_version_or_for_what_is_not_released(
    repository: Path,
) -> None:
    sections = re.findall(
        r"^## \[(.+?)\](?: - \d{4}-\d\d-\d\d)?$",
        (repository / "CHANGELOG.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert sections[0] in ("Unreleased", econ_env.__version__)
    assert len(set(sections)) == len(sections)
