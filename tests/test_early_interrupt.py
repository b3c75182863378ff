"""Ctrl-C while a program is still being loaded, in both programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def interrupted_at(library: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python, pressing Ctrl-C when it imports a library."""
    (folder / f"{library}.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "program"), [("econ_env", "econ-env"), ("econ_agents", "econ-agents")]
)
def test_an_early_ctrl_c_ends_a_program_with_one_line(
    module: str, program: str, tmp_path: Path
) -> None:
    done = interrupted_at("tyro", tmp_path, "-m", module, "--version")
    assert (done.returncode, done.stderr) == (130, f"{program}: interrupted\n")
