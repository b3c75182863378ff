"""Tests of the README's two commands, up to the point where pip would be called."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.comparison.command import main as compare_main
from econ_agents.commands.cli import main as econ_agents_main
from econ_agents.commands.flags import parse
from econ_agents.commands.subcommands import Train
from econ_agents.config.files import preset_names

FAKE_PYTHON = """#!/bin/sh
# Stands for .venv/bin/python: notes every pip call, fails where the test wants a failure.
case "$*" in
    *"-m pip"*) printf '%s\\n' "$TOGETHER_API_KEY$*" >>pip.log; test ! -e pip.fails ;;
esac
"""

FAKE_AGENTS = """#!/bin/sh
# Stands for .venv/bin/econ-agents: notes every call, leaves what the script looks for, and ends
# with the code that the test wants.
notes=$(dirname "$0")
(IFS='|'; printf '%s\\n' "$*" >>"$notes/calls"; printf '%s\\n' "$TOGETHER_API_KEY" >>"$notes/keys")
for each in "$@"; do
    test "$last" = --log_dir && folder=$each
    last=$each
done
case $1 in resume) name=train ;; *) name=$1 ;; esac
test -n "$folder" || exit 0
if test -e "$notes/waits"; then
    trap 'echo saved; exit 130' INT
    echo is waiting
    # Not one long sleep: a Ctrl-C that meets it between fork and exec is lost on it.
    while :; do sleep 0.1; done
fi
code=$(cat "$notes/code of $name" 2>/dev/null || echo 0)
mkdir -p "$folder/checkpoints"
touch "$folder/config.yaml"
test "$code" = 0 || exit "$code"
case $name in
    train) mkdir -p "$folder/checkpoints/final" ;;
    test)
        touch "$folder/test_report.json"
        test -e "$notes/asks no models" || touch "$folder/llm_traces_test_bne_1rounds.json"
        echo "the test's own lines"
        ;;
esac
"""


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """Make a folder with a space in its path, with the scripts and a .venv with a fake Python."""
    root = tmp_path / "a clone"
    installed = ("pyproject.toml", "constraints.txt", "econ_env/version.py")
    for name in (*installed, "run_econ.sh", "scripts/install.sh"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, root / name)
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    return root


@dataclass(frozen=True, kw_only=True)
class Agents:
    """Fake of ``econ-agents`` in a clone."""

    notes: Path

    @property
    def calls(self) -> list[str]:
        """Return the arguments of every call, with ``|`` between them."""
        calls = self.notes / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    @property
    def keys(self) -> list[str]:
        """Return the key that every call found in its environment."""
        return (self.notes / "keys").read_text().splitlines()

    def ends(self, command: str, code: int) -> None:
        """Let the command end with this code from now on."""
        (self.notes / f"code of {command}").write_text(str(code))

    def ask_no_models(self) -> None:
        """Let tests leave no traces of models, as in an environment without them."""
        (self.notes / "asks no models").touch()

    def waits(self) -> None:
        """Let every command wait for Ctrl-C from now on."""
        (self.notes / "waits").touch()


@pytest.fixture
def agents(clone: Path) -> Agents:
    """Put a fake ``econ-agents`` into the clone."""
    command = clone / ".venv/bin/econ-agents"
    command.write_text(FAKE_AGENTS)
    command.chmod(0o755)
    return Agents(notes=command.parent)


def run(
    clone: Path, *command: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of the clone from another folder."""
    return subprocess.run(
        [str(clone / command[0]), *command[1:]],
        cwd=clone.parent,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def installs(clone: Path) -> list[str]:
    """Return the extras of every installation of the project by pip, in order."""
    log = clone / "pip.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split("--editable ")[1] for line in lines if "--editable" in line]


def test_the_second_run_calls_no_pip(clone: Path) -> None:
    assert run(clone, "scripts/install.sh", "minilm").returncode == 0
    assert run(clone, "scripts/install.sh", "minilm").returncode == 0
    assert installs(clone) == [".[minilm]"]


def test_the_versions_come_from_the_constraints(clone: Path) -> None:
    run(clone, "scripts/install.sh")
    assert (
        "install --no-compile --constraint constraints.txt --editable ."
        in (clone / "pip.log").read_text()
    )


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


def test_another_version_of_the_packages_installs_again(clone: Path) -> None:
    run(clone, "scripts/install.sh")
    declared = clone / "econ_env/version.py"
    declared.write_text(re.sub('__version__ = ".*"', '__version__ = "9.9.9"', declared.read_text()))
    run(clone, "scripts/install.sh")
    assert installs(clone) == [".", "."]


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
    assert f"PYTHON={old} is not a Python 3.11 or newer" in refused.stderr
    assert not (clone / ".venv").exists()


def test_a_broken_venv_is_reported_and_kept(clone: Path) -> None:
    (clone / ".venv/bin/python").write_text("#!/bin/sh\nexit 1\n")
    refused = run(clone, "scripts/install.sh")
    assert refused.returncode == 1
    assert "Remove the folder (rm -r .venv)" in refused.stderr
    assert (clone / ".venv").exists()


def test_help_installs_nothing(clone: Path) -> None:
    shown = run(clone, "run_econ.sh", "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith("usage: ./run_econ.sh")
    assert installs(clone) == []


def test_the_help_names_every_preset_and_an_example_that_is_understood(clone: Path) -> None:
    shown = run(clone, "run_econ.sh", "--help").stdout
    (listed,) = re.findall(r"a preset \((.*?)\)", shown)
    assert sorted(listed.split(", ")) == preset_names()
    (options,) = re.findall(r"run_econ\.sh .* -- (--(?!help).*)", shown)
    assert isinstance(parse(Train(), "train", options.split()), Train)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--questions"],
        ["--api-keys=sk-31"],
        ["sk-31"],
        ["-sk=sk-31"],
        ["--api-key"],
        ["--api-key="],
        ["--api-key", "--config"],
        ["--agents", "sk-31"],
        ["--agents=0"],
        ["--experiment-name", "../sk-31"],
        ["--", "--log_dir=sk-31"],
        ["--", "--config", "sk-31"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_told_in_one_line_and_without_its_value(
    clone: Path, arguments: list[str]
) -> None:
    refused = run(clone, "run_econ.sh", *arguments)
    assert refused.returncode == 2
    assert refused.stderr.startswith("run_econ.sh: ")
    assert refused.stderr.endswith(" ./run_econ.sh --help lists the options.\n")
    assert len(refused.stderr.splitlines()) == 1
    assert "31" not in refused.stdout + refused.stderr
    assert installs(clone) == []


def test_install_only_installs_what_training_needs_and_stops(clone: Path, agents: Agents) -> None:
    assert run(clone, "run_econ.sh", "--install-only").returncode == 0
    assert installs(clone) == [".[train]"]
    assert agents.calls == []


def test_a_run_is_trained_tested_and_reported_in_its_folder(clone: Path, agents: Agents) -> None:
    done = run(clone, "run_econ.sh")
    assert done.returncode == 0, done.stderr
    assert agents.calls == [
        "train|--config|quickstart|--experiment_name|quickstart|--log_dir|runs/quickstart",
        "test|--model_dir|runs/quickstart|--log_dir|runs/quickstart",
        "report|runs/quickstart",
    ]
    assert "the test's own lines" in done.stdout
    for command in (
        "econ-agents nash --model-dir runs/quickstart\n",
        "econ-env view runs/quickstart\n",
        "--budget-match econ --tune train --model-dir runs/quickstart\n",
        "tensorboard --logdir runs/quickstart\n",
    ):
        assert command in done.stdout


def test_of_a_run_without_models_no_command_is_named_that_needs_them(
    clone: Path, agents: Agents
) -> None:
    agents.ask_no_models()
    done = run(clone, "run_econ.sh", "--config", "mpe_spread")
    assert done.returncode == 0, done.stderr
    assert "econ-agents inspect --model-dir runs/mpe_spread\n" in done.stdout
    for command in ("compare.py", "econ-env view", "econ-agents nash", "llm_traces"):
        assert command not in done.stdout


def test_options_reach_the_training_with_spaces_and_all(clone: Path, agents: Agents) -> None:
    run(
        clone,
        "run_econ.sh",
        *("--config=a folder/mine.yaml", "--agents", "5", "--experiment-name", "five"),
        *("--", "--set", "env.kwargs.data_path=my rows.jsonl"),
    )
    assert agents.calls[0] == (
        "train|--config|a folder/mine.yaml|--experiment_name|five|--log_dir|runs/five|"
        "--n_agents|5|--set|env.kwargs.data_path=my rows.jsonl"
    )


def test_a_run_takes_its_name_from_the_configuration(clone: Path, agents: Agents) -> None:
    run(clone, "run_econ.sh", "--config", "a folder/mine.yaml")
    assert agents.calls[-2].startswith("test|--model_dir|runs/mine|")
    assert agents.calls[-1] == "report|runs/mine"


def test_the_help_of_training_is_shown_and_nothing_is_trained(clone: Path, agents: Agents) -> None:
    assert run(clone, "run_econ.sh", "--config", "p0", "--", "--help").returncode == 0
    assert agents.calls == ["train|--config|p0|--help"]


def test_an_interrupted_run_goes_on_and_a_finished_one_is_kept(clone: Path, agents: Agents) -> None:
    agents.ends("train", 130)
    stopped = run(clone, "run_econ.sh")
    assert stopped.returncode == 130
    assert "The same command goes on from there" in stopped.stderr
    agents.ends("train", 0)
    agents.ends("test", 130)
    stopped = run(clone, "run_econ.sh")
    assert stopped.returncode == 130
    assert "settings of runs/quickstart/config.yaml" in stopped.stdout
    agents.ends("test", 0)
    assert run(clone, "run_econ.sh").returncode == 0
    assert run(clone, "run_econ.sh").returncode == 0
    assert [call.split("|")[0] for call in agents.calls] == [
        *("train", "resume", "test"),  # interrupted twice
        *("test", "report"),
        *("train", "test", "report"),
    ]
    assert agents.calls[1] == "resume|--log_dir|runs/quickstart"
    assert agents.calls[5].endswith("--log_dir|runs/quickstart-2")


def test_ctrl_c_lets_the_training_save_and_says_how_to_go_on(clone: Path, agents: Agents) -> None:
    agents.waits()
    with subprocess.Popen(
        [str(clone / "run_econ.sh")],
        cwd=clone.parent,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        while "is waiting" not in process.stdout.readline():
            pass
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "saved" in out
    assert error.count("The same command goes on from there") == 1


def test_a_failed_training_is_not_tested(clone: Path, agents: Agents) -> None:
    agents.ends("train", 2)
    assert run(clone, "run_econ.sh").returncode == 2
    assert len(agents.calls) == 1


@pytest.mark.parametrize("form", ["two words", "one word", "standard input"])
def test_a_key_reaches_the_commands_by_the_environment_only(
    clone: Path, agents: Agents, form: str
) -> None:
    arguments = {
        "two words": ["--api-key", "sk-3141"],
        "one word": ["--api-key=sk-3141"],
        "standard input": ["--api-key", "-"],
    }[form]
    done = run(clone, "run_econ.sh", *arguments, stdin="sk-3141")
    assert done.returncode == 0
    assert agents.keys == ["sk-3141"] * 3
    assert "3141" not in done.stdout + done.stderr + "".join(agents.calls)
    assert ("export TOGETHER_API_KEY" in done.stderr) == (form != "standard input")
    assert "sk-3141" not in (clone / "pip.log").read_text()  # installing needs no key


def test_a_key_of_the_environment_is_used_without_a_word(clone: Path, agents: Agents) -> None:
    done = run(clone, "run_econ.sh", TOGETHER_API_KEY="sk-3141")
    assert agents.keys == ["sk-3141"] * 3
    assert done.stderr == ""


def test_the_commands_of_the_script_train_test_and_report_in_earnest(
    clone: Path,
    agents: Agents,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = "train.episodes=20 train.warmup_episodes=10 train.batch_size=8 test.episodes=10".split()
    small = ["belief_dim=8", "network.entity_dim=8", "network.hidden=8", "network.ffn=8"]
    options = ["--set", *few, *small, "logging.plots=false", "logging.tensorboard=false"]
    run(clone, "run_econ.sh", "--config", "simulated", "--agents", "2", "--", *options)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert [econ_agents_main(call.split("|")) for call in agents.calls] == [0, 0, 0]
    for name in (
        "config.yaml",
        "checkpoints/final",
        "test_report.json",
        "report.html",
        "metrics.csv",
    ):
        assert (elsewhere / "runs/simulated" / name).exists(), name
    lines = capsys.readouterr().out
    assert re.search(r"^Baseline \(no BNE\): \d+/10 = [\d.]+%", lines, re.MULTILINE)
    assert re.search(r"^P0 BNE \(3 rounds\): \d+/10 = [\d.]+%", lines, re.MULTILINE)
    assert re.search(r"^P0 Metadata: JSON=\d+%$", lines, re.MULTILINE)
    # The comparison that the script names next plays the game of this run.
    flags = ["--methods", "econ", "self_consistency", "--budget-match", "econ", "--tune", "train"]
    comparison = ["--model-dir", "runs/simulated", "--questions", "4", "--tune-questions", "2"]
    assert compare_main([*flags, *comparison]) == 0
    compared = capsys.readouterr().out
    assert "simulated" in compared
    assert re.search(r"self_consistency\S* is played with k=\d+", compared)
