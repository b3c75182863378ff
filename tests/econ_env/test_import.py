"""``import econ_env`` is light: the heavy libraries load when something first needs them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.slow


HEAVY = {
    "antlr4",
    "datasets",
    "latex2sympy2_extended",
    "math_verify",
    "scipy",
    "sentence_transformers",
    "stable_baselines3",
    "sympy",
    "torch",
    "torchrl",
    "transformers",
}

PROBE = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
import {module}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({{"wall": wall, "cpu": cpu, "modules": sorted(sys.modules)}}))
"""


@pytest.mark.parametrize("module", ["econ_env", "econ_env.econ_v0", "econ_env.commands.cli"])
def test_importing_loads_no_heavy_library(
    module: str, record_property: Callable[[str, object], None]
) -> None:
    probe = subprocess.run(
        [sys.executable, "-c", PROBE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(probe.stdout)
    # Times are reported only (pytest -rP, --junit-xml): they are the machine's.
    record_property("import_seconds", round(report["wall"], 3))
    print(f"import {module}: {report['wall']:.2f} s, of them {report['cpu']:.2f} s on the CPU")
    assert not HEAVY.intersection(report["modules"])


PLAY = """
import econ_env
env = econ_env.parallel_env(dataset="simulated", llm="simulated")
env.reset(seed=0)
env.step({agent: env.action_space(agent).sample() for agent in env.agents})
"""
HELP = """
import contextlib
from {package}.commands.cli import main
with contextlib.suppress(SystemExit):
    main(["--help"])
"""


@pytest.mark.parametrize(
    "code",
    [PLAY, HELP.format(package="econ_env"), HELP.format(package="econ_agents")],
    ids=["a simulated game", "econ-env --help", "econ-agents --help"],
)
def test_what_needs_no_heavy_library_loads_none(code: str) -> None:
    probe = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not HEAVY.intersection(probe.stdout.splitlines()[-1].split())
