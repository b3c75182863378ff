"""Ctrl-C while a program is still being loaded, in both programs."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]


def interrupted_while_importing(
    name: str, command: list[str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run Python with a module ``name`` whose import is interrupted."""
    (folder / f"{name}.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    return subprocess.run(
        [sys.executable, *command, "--version"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "imported"),
    [
        ("econ-env", "econ_env"),
        ("econ-env", "pettingzoo"),
        ("econ-env", "tyro"),
        ("econ-agents", "econ_agents"),
        ("econ-agents", "tyro"),
    ],
)
def test_an_early_ctrl_c_ends_an_installed_program_with_one_line(
    program: str, imported: str, tmp_path: Path
) -> None:
    module, _, function = SCRIPTS[program].partition(":")
    script = f"import sys; from {module} import {function}; sys.exit({function}())"
    done = interrupted_while_importing(imported, ["-c", script], tmp_path)
    assert (done.returncode, done.stderr) == (130, f"{program}: interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "program"), [("econ_env", "econ-env"), ("econ_agents", "econ-agents")]
)
def test_an_early_ctrl_c_ends_a_module_with_one_line(
    module: str, program: str, tmp_path: Path
) -> None:
    done = interrupted_while_importing("tyro", ["-m", module], tmp_path)
    assert (done.returncode, done.stderr) == (130, f"{program}: interrupted\n")
