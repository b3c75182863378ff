"""Tests of every command line in README.md, CONTRIBUTING.md and docs/: it runs, or is parsed.

Commands that take seconds and need nothing are run (:data:`RUN`). Commands that need a key, a
server, a download or minutes are only parsed by their program, so that a renamed flag is noticed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from benchmarks.comparison.flag_file import read_flags
from econ_agents.commands.flags import Configured, parse
from econ_agents.commands.subcommands import COMMANDS
from econ_agents.config.files import read_config
from econ_agents.training.train import run_training
from econ_env.commands import cli
from econ_env.commands.play import PlayFlags
from tests.documents import ALL_COMMANDS, ROOT, Command

pytestmark = pytest.mark.slow

RUN = (
    "econ-env play --questions",
    "econ-env play --dataset my_questions.jsonl",
    "econ-env validate my_questions.jsonl",
    "python benchmarks/compare.py --dry-run",
    "python benchmarks/compare.py --questions",
)
"""Beginnings of the commands that are run; each occurs in a document."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the files that the documents name: questions, a configuration, runs."""
    folder = tmp_path_factory.mktemp("desk")
    row = {"problem": "Ann has 3 pens and buys 4. How many has she now?", "solution": r"\boxed{7}"}
    (folder / "my_questions.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (folder / "mine.yaml").write_text("seed: 1\n", encoding="utf-8")
    few = ["train.episodes=10", "train.warmup_episodes=10", "train.batch_size=8"]
    small = ["belief_dim=8", "network.entity_dim=8", "network.hidden=8", "train.nash_interval=0"]
    quiet = ["logging.plots=false", "logging.tensorboard=false", "logging.progress=false"]
    run_training(read_config("simulated", [*few, *small, *quiet]), folder / "runs" / "quickstart")
    for name in ("longer", "learning/bundled_0", "mpe_spread"):
        shutil.copytree(folder / "runs" / "quickstart", folder / "runs" / name)
    for name in ("benchmarks", "examples"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def is_run(program: str, arguments: list[str]) -> bool:
    return " ".join([program, *arguments]).startswith(RUN)


def run_econ(arguments: list[str]) -> None:
    before, _, after = " ".join(arguments).partition("-- ")
    # Its own reading of the options comes before its help, which installs nothing.
    script = ["bash", str(ROOT / "run_econ.sh"), *before.split(), "--help"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    config = re.search(r"--config (\S+)", before)
    econ_agents(["train", *(["--config", config[1]] if config else []), *after.split()])


def econ_agents(arguments: list[str]) -> None:
    name, *flags = arguments
    command = parse(COMMANDS[name], name, flags)
    if isinstance(command, Configured):
        command.resolved()


def econ_env(arguments: list[str]) -> None:
    if is_run("econ-env", arguments):
        assert cli.main(arguments) == 0
        return
    command = cli.parse(arguments)
    if isinstance(command, PlayFlags):
        command.env_config()


def make(arguments: list[str]) -> None:
    # make itself takes the name of any file or folder, such as tests, for a target.
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [word for word in arguments if "=" not in word and f"\n{word}:" not in makefile] == []
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    dry = ["make", "--dry-run", "--directory", str(ROOT), *arguments]
    done = subprocess.run(dry, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr


def python(arguments: list[str]) -> None:
    if is_run("python", arguments):
        assert run_script(*arguments)[0] == 0
        return
    script, *rest = arguments
    if script == "benchmarks/compare.py":
        flags = read_flags(rest, prog=script)
        flags.env_config()
        flags.target(flags.entries())
        return
    if script == "-m":
        module = rest.pop(0).replace(".", "/")
        script = f"{module}/__main__.py" if (ROOT / module).is_dir() else f"{module}.py"
    subcommand = rest[:1] if rest and not rest[0].startswith("-") else []
    code, help_text = run_script(script, *subcommand, "--help")
    known = re.findall(r"--[a-z][\w-]*(?:\.[a-z][\w-]*)*", help_text)
    assert code == 0
    assert [word for word in rest if word.startswith("--") and word not in known] == []


@cache
def run_script(script: str, *arguments: str) -> tuple[int, str]:
    """Run a script in this process; return its exit code and its output."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", [script, *arguments])
        patch.setattr(sys, "path", [str((ROOT / script).parent), *sys.path])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / script), run_name="__main__")
    return int(ended.value.code or 0), printed.getvalue()


def pip(arguments: list[str]) -> None:
    requirements = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert arguments.pop(0) == "install"
    for name in arguments:
        assert f'"{name}>=' in requirements, f"{name} is in no extra"


def pre_commit(arguments: list[str]) -> None:
    assert arguments == ["install"]
    assert (ROOT / ".pre-commit-config.yaml").is_file()


PROGRAMS: Mapping[str, Callable[[list[str]], None]] = {
    "./run_econ.sh": run_econ,
    "econ-agents": econ_agents,
    "econ-env": econ_env,
    "make": make,
    "pip": pip,
    "pre-commit": pre_commit,
    "python": python,
}


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=str)
def test_every_command_runs_or_is_understood(
    command: Command, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk)
    PROGRAMS[command.program](command.arguments)


@pytest.mark.parametrize("beginning", RUN)
def test_what_is_run_stands_in_a_document(beginning: str) -> None:
    shown = [" ".join([command.program, *command.arguments]) for command in ALL_COMMANDS]
    assert any(line.startswith(beginning) for line in shown)
