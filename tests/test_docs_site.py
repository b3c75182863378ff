"""The site of docs/: it is built strictly and offline, and its reference is what is public."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import econ_env
from tests.documents import ALL_BLOCKS, ROOT

API = sorted((ROOT / "docs" / "api").glob("*.md"))
LOADED_FROM_ELSEWHERE = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\ssrc=["']?(?:https?:)?//"""
    r"""|<link\b[^>]*\shref=["']?(?:https?:)?//"""
)
IMPORT = re.compile(r"^ *from (econ_\w+(?:\.\w+)*) import (.+)$", re.MULTILINE)


def resolved(name: str) -> object:
    """The module, or the object in a module, that a dotted name means."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and not error.name.startswith("econ_"):
            pytest.skip(f"{error.name} is not installed")
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


def public() -> list[object]:
    """All that the pages of the reference name; a module stands for its ``__all__``."""
    objects: list[object] = []
    for page in API:
        for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            found = resolved(name)
            if isinstance(found, ModuleType):
                objects += [getattr(found, each) for each in found.__all__]
            else:
                objects.append(found)
    return objects


def test_what_documents_import_is_public() -> None:
    known = {id(each) for each in public()}
    imported = [
        (str(block), module, name.strip())
        for block in ALL_BLOCKS
        if block.language == "python"
        for module, names in IMPORT.findall(block.text)
        for name in names.split(",")
    ]
    assert imported
    missing = [each for each in imported if id(resolved(f"{each[1]}.{each[2]}")) not in known]
    assert missing == [], "name it on a page of docs/api, or let the document do without it"


def test_every_page_is_in_the_navigation_and_every_reference_in_its_index() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    docs = ROOT / "docs"
    pages = {str(path.relative_to(docs)) for path in docs.rglob("*.md")}
    assert set(re.findall(r"[\w/]+\.md", navigation)) == pages
    index = (docs / "api" / "index.md").read_text(encoding="utf-8")
    assert [
        page.name for page in API if page.stem != "index" and f"({page.name})" not in index
    ] == []


@pytest.mark.slow
def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra docs is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra docs is not installed")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr

    pages = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    assert [str(path) for path, text in pages.items() if LOADED_FROM_ELSEWHERE.search(text)] == []
    styles = [path for path in tmp_path.rglob("*.css") if "url(http" in path.read_text()]
    assert styles == []

    reference = pages[tmp_path / "api" / "econ_env.html"]
    for name in econ_env.__all__:
        assert f'id="econ_env.{name}"' in reference or f"<code>{name}</code>" in reference, name
    assert re.search(r":[a-z]+:<code>", "".join(pages.values())) is None  # Sphinx's roles
    # What pages link to outside of docs/ is there, too.
    for name in ("index.html", "econ_env/grading/answers.py.html", "benchmarks/results/scale.json"):
        assert (tmp_path / "source" / name).is_file()
