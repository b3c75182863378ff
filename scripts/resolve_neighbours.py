"""Check that econ-env can be installed beside Hydra, BenchMARL and AgileRL, without installing.

``make test-resolve`` runs it. Each group of :data:`GROUPS` is resolved by uv as one installation,
with the torch of constraints.txt and everything else as the package index has it today, in seconds.
The groups ask for versions of today: without a bound, an installer avoids a conflict by going back
years, and nobody is told (pip once settled on hydra-core 0.11).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TIME_LIMIT_S = 600.0
"""Time that the resolver may take for one group."""

HYDRA = ("hydra-core>=1.3", "omegaconf>=2.3")
GROUPS = ((*HYDRA, "benchmarl>=1.5"), (*HYDRA, "agilerl>=2.58"))
"""Requirements beside econ-env. BenchMARL and AgileRL exclude each other, by tensordict."""

SHOWN = ("antlr4-python3-runtime", "torch", "transformers", "gymnasium", "pettingzoo")
"""Packages whose versions are printed beside those of the group."""


def main() -> int:
    """Resolve every group; 0 if each of them has a solution, else 1."""
    code = 0
    for group in GROUPS:
        print(f"econ-env, {', '.join(group)}:", flush=True)
        try:
            chosen = versions(resolve(group))
        except subprocess.CalledProcessError as error:
            print(f"  no solution: {str(error.stderr).strip()}")
            code = 1
        except subprocess.TimeoutExpired:
            print(f"  not resolved within {TIME_LIMIT_S:.0f} s")
            code = 1
        else:
            names = [canonicalize_name(Requirement(each).name) for each in group]
            print("  " + ", ".join(f"{name} {chosen[name]}" for name in (*names, *SHOWN)))
    return code


def resolve(neighbours: Sequence[str], *, project: Path = ROOT) -> str:
    """Lines ``name==version`` of all that would be installed of ``project`` and ``neighbours``.

    Raises:
        subprocess.CalledProcessError: there is no solution, or no index is reached; its ``stderr``
            says why.
        subprocess.TimeoutExpired: uv still searches after :data:`TIME_LIMIT_S`.
    """
    wanted = "\n".join((f"econ-env @ {project.as_uri()}", pinned_torch(), *neighbours))
    uv = [sys.executable, "-m", "uv", "pip", "compile", "-", "--no-header", "--no-annotate"]
    # Outside the repository, whose [tool.uv] would pin everything.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*uv, "--quiet", "--python", sys.executable],
            input=wanted,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
        )
    return done.stdout


def versions(resolved: str) -> dict[str, str]:
    """Versions by canonical name, of the lines ``name==version`` of ``resolved``."""
    found: dict[str, str] = {}
    for line in resolved.splitlines():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        for pin in requirement.specifier:
            found[canonicalize_name(requirement.name)] = pin.version
    return found


def pinned_torch() -> str:
    """The line of constraints.txt that pins torch."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("torch=="))
    return line


if __name__ == "__main__":
    sys.exit(main())
