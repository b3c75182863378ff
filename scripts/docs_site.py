"""Hook of mkdocs.yml that copies the files that pages of docs/ link to into the site.

On GitHub a page may link to any file of the repository. A site holds only the files in docs/, and
has no address of the repository. So every file outside of docs/ that a page links to becomes part
of the site, under ``source/``: Markdown and Python as pages, anything else unchanged. Files that
these pages link to are added too.

Docstrings name things as Sphinx does, ``:class:`~package.Name```: the site shows only the name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
DOCS, SOURCE = "docs/", "source/"
_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod|obj):<code>(?:([\w.]+)|~[\w.]*?(\w+))</")
_LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add every file that a page links to, and the files that added pages link to."""
    pages = [DOCS + file.src_uri for file in files.documentation_pages()]
    found = set(pages)
    while pages:
        page = pages.pop()
        for target in linked_files(page, (ROOT / page).read_text(encoding="utf-8")):
            if target in found or target.startswith(DOCS):
                continue
            found.add(target)
            files.append(_file(target, config))
            if target.endswith(".md"):
                pages.append(target)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links to the places of their targets in the site."""
    address = page.file.src_uri
    of_source = address.startswith(SOURCE)
    origin = address.removeprefix(SOURCE) if of_source else DOCS + address

    def moved(link: re.Match[str]) -> str:
        target = _target(origin, link[1])
        if target is None or not (of_source or not target.startswith(DOCS)):
            return link[0]
        return posixpath.relpath(_address(target), posixpath.dirname(address))

    return _LINK.sub(moved, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Let names in docstrings stand without their roles."""
    return _ROLE.sub(lambda role: f"<code>{role[2] or role[1]}</", html)


def linked_files(page: str, markdown: str) -> Iterator[str]:
    """Yield the files of the repository that a page links to, as paths from its root."""
    for link in _LINK.findall(markdown):
        target = _target(page, link)
        if target is not None:
            yield target


def _target(page: str, link: str) -> str | None:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    return target if not target.startswith("..") and (ROOT / target).is_file() else None


def _address(target: str) -> str:
    """Return the place of a file of the repository in the site, before rendering."""
    if target.startswith(DOCS):
        return target.removeprefix(DOCS)
    return f"{SOURCE}{target}" + (".md" if target.endswith(".py") else "")


def _file(target: str, config: Any) -> File:
    if not target.endswith(".py"):
        return File.generated(config, _address(target), abs_src_path=str(ROOT / target))
    code = (ROOT / target).read_text(encoding="utf-8")
    page = f"---\nsearch: {{exclude: true}}\n---\n# `{target}`\n\n~~~~~~python\n{code}~~~~~~\n"
    return File.generated(config, _address(target), content=page)
