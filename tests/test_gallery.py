"""The pages and pictures of docs/gallery, which scripts/gallery.py makes."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from scripts.gallery import GALLERY, SHOTS

PAGES = sorted(GALLERY.glob("*.html"))


def test_the_gallery_stays_small() -> None:
    assert {page.name for page in PAGES} == {"games.html", "report.html"}
    assert max(page.stat().st_size for page in PAGES) <= 150_000
    pictures = [GALLERY / f"{name}.png" for name in SHOTS]
    assert max(picture.stat().st_size for picture in pictures) <= 60_000


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
@pytest.mark.parametrize("asset", ["page.css", "page.js"])
def test_its_pages_are_made_by_the_present_script_and_style(page: Path, asset: str) -> None:
    text = (files("econ_pages") / "assets" / asset).read_text("utf-8")
    assert text.strip() in page.read_text("utf-8"), "make them again: python -m scripts.gallery"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_its_texts_are_this_projects_own(page: Path) -> None:
    _, _, rest = page.read_text("utf-8").partition('<script id="data" type="application/json">')
    games = json.loads(rest.partition("</script>")[0])["games"]
    assert games
    assert [game["id"] for game in games if not game["id"].startswith("simulated/")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_its_pages_name_no_folder_of_who_made_them(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [place for place in ("tmp", "home", "root", "work") if f"/{place}/" in text] == []
