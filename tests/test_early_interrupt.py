"""Ctrl-C while a program is still being loaded, in both programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "program"), [("econ_env", "econ-env"), ("econ_agents", "econ-agents")]
)
def test_an_early_ctrl_c_ends_a_program_with_one_line(
    module: str, program: str, tmp_path: Path
) -> None:
    (tmp_path / "tyro.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, f"{program}: interrupted\n")
