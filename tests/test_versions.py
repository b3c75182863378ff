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
from scripts.release import problems, with_absolute_links

PLOT = "benchmarks/results/comparison_simulated.png"
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


def test_a_release_needs_its_version_and_its_section(tmp_path: Path) -> None:
    (tmp_path / "econ_env").mkdir()
    (tmp_path / "econ_env/version.py").write_text('__version__ = "1.2.3"\n')
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("## [Unreleased]\n\n## [1.2.3] - 2026-01-31\n\n## [1.2.2] - 2026-01-01\n")
    assert problems("v1.2.3", tmp_path) == []
    (reason,) = problems("v1.2.4", tmp_path)
    assert "says version 1.2.3" in reason
    changelog.write_text("## [Unreleased]\n\n## [1.2.2] - 2026-01-01\n")
    (reason,) = problems("v1.2.3", tmp_path)
    assert "no section '## [1.2.3] - YYYY-MM-DD'" in reason


def test_on_the_package_index_every_link_of_the_readme_leads_somewhere(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    shown = with_absolute_links(readme, "https://example.org/econ", "v1.2.3")
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", shown)
    assert ("!", f"https://example.org/econ/raw/v1.2.3/{PLOT}") in links
    assert ("", "https://example.org/econ/blob/v1.2.3/LICENSE") in links
    assert [link for _, link in links if not link.startswith("https://")] == []
    assert with_absolute_links(shown, "https://example.org/econ", "v1.2.3") == shown
