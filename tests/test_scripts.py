"""The two commands of the README, up to the point where pip would be called."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from econ_env.cli import main
from econ_env.transcript import Transcript

FAKE_PYTHON = """#!/bin/sh
# Stands for .venv/bin/python: notes every pip call, fails where the test wants a failure.
case "$*" in
    *"-m pip"*) printf '%s\\n' "$*" >>pip.log; test ! -e pip.fails ;;
esac
"""


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """A folder with a space in its path that holds the scripts and a .venv with a fake Python."""
    root = tmp_path / "a clone"
    for name in ("pyproject.toml", "constraints.txt", "run_econ.sh", "scripts/install.sh"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, root / name)
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    return root


def run(clone: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the clone from another folder."""
    return subprocess.run(
        [str(clone / command[0]), *command[1:]],
        cwd=clone.parent,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def installs(clone: Path) -> list[str]:
    """The extras of every installation of the project that pip was asked for, in order."""
    log = clone / "pip.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split("--editable ")[1] for line in lines if "--editable" in line]


def test_the_second_run_calls_no_pip(clone: Path) -> None:
    assert run(clone, "scripts/install.sh", "minilm").returncode == 0
    assert run(clone, "scripts/install.sh", "minilm").returncode == 0
    assert installs(clone) == [".[minilm]"]


def test_the_versions_come_from_the_constraints(clone: Path) -> None:
    run(clone, "scripts/install.sh")
    assert "install --constraint constraints.txt --editable ." in (clone / "pip.log").read_text()


def test_an_extra_that_is_missing_is_added(clone: Path) -> None:
    for extras in (["minilm"], ["minilm", "test"], ["minilm"], ["test"]):
        assert run(clone, "scripts/install.sh", *extras).returncode == 0
    assert installs(clone) == [".[minilm]", ".[minilm,test]"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_requirement_installs_again(clone: Path, name: str) -> None:
    run(clone, "scripts/install.sh", "test")
    with (clone / name).open("a") as file:
        file.write("# changed\n")
    run(clone, "scripts/install.sh", "test")
    assert installs(clone) == [".[test]", ".[test]"]


def test_a_moved_clone_installs_again(clone: Path) -> None:
    run(clone, "scripts/install.sh")
    moved = clone.rename(clone.with_name("moved clone"))
    assert run(moved, "scripts/install.sh").returncode == 0
    assert installs(moved) == [".", "."]


def test_a_failed_installation_is_not_taken_for_done(clone: Path) -> None:
    (clone / "pip.fails").touch()
    failed = run(clone, "scripts/install.sh")
    assert failed.returncode == 1
    assert "pip could not install the packages" in failed.stderr
    (clone / "pip.fails").unlink()
    assert run(clone, "scripts/install.sh").returncode == 0
    assert installs(clone)[-1] == "."


def test_an_old_python_is_refused_with_a_remedy(clone: Path) -> None:
    shutil.rmtree(clone / ".venv")
    old = clone / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    refused = run(clone, "scripts/install.sh", PYTHON=str(old))
    assert refused.returncode == 1
    assert f"PYTHON={old} is not a Python 3.10 or newer" in refused.stderr
    assert not (clone / ".venv").exists()


def test_a_broken_venv_is_reported_and_kept(clone: Path) -> None:
    (clone / ".venv/bin/python").write_text("#!/bin/sh\nexit 1\n")
    refused = run(clone, "scripts/install.sh")
    assert refused.returncode == 1
    assert "Remove the folder (rm -r .venv)" in refused.stderr
    assert (clone / ".venv").exists()


def test_the_example_of_the_help_plays_several_rounds(clone: Path, tmp_path: Path) -> None:
    shown = run(clone, "run_econ.sh", "--help").stdout
    (options,) = re.findall(r"run_econ\.sh -- (--(?!help).*)", shown)
    out = tmp_path / "played.jsonl"
    simulated = ["--dataset", "simulated", "--llm", "simulated", "--out", str(out)]
    assert main(["play", *options.split(), *simulated]) == 0
    played = [Transcript.from_json(json.loads(line)) for line in out.read_text().splitlines()]
    assert max(len(list(transcript.rounds())) for transcript in played) > 1


def test_help_installs_nothing(clone: Path) -> None:
    shown = run(clone, "run_econ.sh", "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith("usage: ./run_econ.sh")
    assert installs(clone) == []


@pytest.mark.parametrize("argument", ["--questions", "--api-key=secret", "play"])
def test_an_unknown_argument_is_an_error_with_the_usage(clone: Path, argument: str) -> None:
    refused = run(clone, "run_econ.sh", argument)
    assert refused.returncode == 2
    assert "unknown option" in refused.stderr
    assert "secret" not in refused.stderr
    assert "usage: ./run_econ.sh" in refused.stderr
    assert installs(clone) == []


def test_run_econ_installs_and_plays_with_the_options_after_two_dashes(clone: Path) -> None:
    play = clone / ".venv/bin/econ-env"
    play.write_text('#!/bin/sh\nprintf "%s|" "$@"\nexit 130\n')
    play.chmod(0o755)
    played = run(clone, "run_econ.sh", "--", "--out", "a file.jsonl")
    assert played.stdout.endswith("play|--out|a file.jsonl|")
    assert played.returncode == 130  # the game's own exit code, here that of Ctrl-C
    assert installs(clone) == ["."]
