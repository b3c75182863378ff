"""Check that pip can install econ-env beside Hydra, BenchMARL and AgileRL, without installing.

``make test-resolve`` runs it. Each group of :data:`GROUPS` is resolved as one command line of pip,
with the torch of constraints.txt and everything else as the package index has it today, which
takes minutes and a network. A group passes if pip chooses versions of today: left to itself, it
goes back by years to avoid a conflict, and nobody is told.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
TIME_LIMIT = 1500.0
"""Seconds that pip may take for one group."""

GROUPS = (("hydra-core", "benchmarl"), ("hydra-core", "agilerl"))
"""What is installed beside econ-env. BenchMARL and AgileRL exclude each other, by tensordict."""

OLDEST = {"hydra-core": "1.3", "omegaconf": "2.3", "benchmarl": "1.5", "agilerl": "2.58"}
"""What pip must choose at least."""

SHOWN = ("econ-env", *OLDEST, "antlr4-python3-runtime", "torch", "transformers")


def main() -> int:
    """Resolve every group; 0 if pip finds versions of today for all of them, else 1."""
    code = 0
    for group in GROUPS:
        print(f"econ-env, {', '.join(group)}:", flush=True)
        try:
            chosen = resolve(group)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"  pip found no versions: {error}")
            code = 1
            continue
        print("  " + ", ".join(f"{name} {chosen[name]}" for name in SHOWN if name in chosen))
        for complaint in complaints(chosen, group, torch=pinned_torch()):
            print(f"  {complaint}")
            code = 1
    return code


def resolve(neighbours: Sequence[str]) -> dict[str, str]:
    """Versions, by name, that pip would install of econ-env, ``neighbours`` and what they need.

    Raises:
        subprocess.CalledProcessError: pip finds none, or reaches no index; it says why on stderr.
        subprocess.TimeoutExpired: pip still searches after :data:`TIME_LIMIT`.
    """
    with tempfile.TemporaryDirectory() as folder:
        constraints, report = Path(folder, "constraints.txt"), Path(folder, "report.json")
        constraints.write_text(f"{pinned_torch()}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        files = ["--constraint", str(constraints), "--report", str(report)]
        subprocess.run([*pip, *files, str(ROOT), *neighbours], check=True, timeout=TIME_LIMIT)
        return versions(json.loads(report.read_text(encoding="utf-8")))


def versions(report: Mapping[str, Any]) -> dict[str, str]:
    """Versions by name, of a report that ``pip install --report`` writes."""
    packages = (item["metadata"] for item in report["install"])
    return {canonicalize_name(each["name"]): each["version"] for each in packages}


def complaints(
    chosen: Mapping[str, str], neighbours: Sequence[str], *, torch: Requirement
) -> list[str]:
    """A sentence for everything that ``chosen`` lacks or has in a version of the past."""
    found = [f"{name} is missing." for name in ("econ-env", *neighbours) if name not in chosen]
    found += [
        f"{name} {chosen[name]} is older than {oldest}: something that econ-env asks for excludes "
        f"today's. Compare: pip install --dry-run {name}"
        for name, oldest in OLDEST.items()
        if name in chosen and Version(chosen[name]) < Version(oldest)
    ]
    if not torch.specifier.contains(chosen["torch"]):
        found.append(f"torch {chosen['torch']} is not {torch}, which constraints.txt asks for.")
    return found


def pinned_torch() -> Requirement:
    """The line of constraints.txt that pins torch."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("torch=="))
    return Requirement(line)


if __name__ == "__main__":
    sys.exit(main())
