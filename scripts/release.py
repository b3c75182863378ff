"""Prepare a release: ``python scripts/release.py check v1.2.3`` and ``links URL v1.2.3``.

``check`` ends with 1 unless the tag is the version of the packages and CHANGELOG.md has a section
for it. ``links`` rewrites README.md, which the package index shows without the files around it:
links and images lead to the tag at the address of the repository. It is for the copy that is built
only. Nothing but Python is needed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
_LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!\w+:|#)([^)\s]+)\)")


def problems(tag: str, root: Path = ROOT) -> list[str]:
    """Reasons against the release of this tag."""
    (version,) = _VERSION.findall((root / "econ_env/version.py").read_text(encoding="utf-8"))
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = []
    if tag != f"v{version}":
        found.append(f"The tag is {tag}, but econ_env/version.py says version {version}.")
    if not re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE
    ):
        found.append(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD'.")
    return found


def with_absolute_links(markdown: str, repository: str, tag: str) -> str:
    """Markdown whose links to files lead to ``tag`` of the repository with this address."""

    def absolute(link: re.Match[str]) -> str:
        image, text, path = link.groups()
        return f"{image}{text}({repository}/{'raw' if image else 'blob'}/{tag}/{path})"

    return _LINK.sub(absolute, markdown)


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code: 0, 1 with reasons against it, 2 for a wrong call."""
    match arguments:
        case ["check", tag]:
            reasons = problems(tag)
            print("\n".join(reasons) or f"{tag} can be released.")
            return 1 if reasons else 0
        case ["links", repository, tag]:
            readme = ROOT / "README.md"
            text = with_absolute_links(readme.read_text(encoding="utf-8"), repository, tag)
            readme.write_text(text, encoding="utf-8")
            return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
