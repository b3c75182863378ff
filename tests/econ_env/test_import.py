"""``import econ_env`` is light: the heavy libraries load when something first needs them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

MAX_CPU_SECONDS = 1.0
"""Three times what the import takes; a heavy library alone takes longer than this."""

HEAVY = {"datasets", "scipy", "sentence_transformers", "torch", "transformers"}

PROBE = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
import {module}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({{"wall": wall, "cpu": cpu, "modules": sorted(sys.modules)}}))
"""


@pytest.mark.parametrize("module", ["econ_env", "econ_env.econ_v0", "econ_env.commands.cli"])
def test_importing_is_quick_and_loads_no_heavy_library(
    module: str, record_property: Callable[[str, object], None]
) -> None:
    probe = subprocess.run(
        [sys.executable, "-c", PROBE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(probe.stdout)
    # The clock's time is only reported (pytest -rP, --junit-xml): it grows with the load of the
    # machine, which CPU time hardly does.
    record_property("import_seconds", round(report["wall"], 3))
    print(f"import {module}: {report['wall']:.2f} s, of them {report['cpu']:.2f} s on the CPU")
    assert not HEAVY.intersection(report["modules"])
    assert report["cpu"] <= MAX_CPU_SECONDS
