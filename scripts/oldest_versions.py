"""Print the oldest version of each dependency that pyproject.toml allows, as pip's requirements.

``python scripts/oldest_versions.py EXTRA...`` covers the base dependencies and these extras, with
the extras that they include. ``scripts/test_oldest.sh`` installs them: a bound is declared once.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def main(extras: Sequence[str]) -> None:
    """Print one requirement a line, sorted by name."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    for requirement in oldest(project, extras):
        print(requirement)


def oldest(project: dict[str, Any], extras: Sequence[str]) -> list[str]:
    """``name==bound`` for all dependencies of ``project`` and its ``extras`` on this Python.

    Raises:
        ValueError: a dependency has no lower bound.
        KeyError: there is no such extra.
    """
    declared = list(map(Requirement, project["dependencies"]))
    declared += _of_extras(project, extras)
    return sorted({_at_its_bound(each) for each in declared if _holds_here(each)})


def _of_extras(project: dict[str, Any], extras: Iterable[str]) -> Iterator[Requirement]:
    """The dependencies of extras, and of those that they name in turn."""
    for extra in extras:
        for requirement in map(Requirement, project["optional-dependencies"][extra]):
            if canonicalize_name(requirement.name) == project["name"]:
                yield from _of_extras(project, requirement.extras)
            else:
                yield requirement


def _holds_here(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def _at_its_bound(requirement: Requirement) -> str:
    bounds = [each.version for each in requirement.specifier if each.operator in (">=", "==")]
    if len(bounds) != 1:
        raise ValueError(f"pyproject.toml gives no single lower bound in {str(requirement)!r}.")
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}=={bounds[0]}"


if __name__ == "__main__":
    main(sys.argv[1:])
