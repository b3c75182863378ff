"""One page: sections about a run, if there are any, and games to look through.

The page is one HTML file that loads nothing: styles, script and data are inside, and its content
security policy allows no others. The games are data in it. The script builds the one that is looked
at, and only ever as text; what Python writes into the page is escaped by the template.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from econ_pages.charts import Chart, Intervals
from econ_pages.errors import PageError
from econ_pages.games import Game
from econ_pages.text import visible

GENERATOR = '<meta name="generator" content="econ_pages">'
"""Mark of the pages that this module writes, near their beginning."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A cell of a table that leads to a game."""

    text: str
    game: int
    """Number of the game."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table with a head; numbers come as text."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Link]]
    caption: str = ""
    folded: bool = False
    """True if it is shown only on request, under its caption."""

    @property
    def kind(self) -> str:
        """``table``, for the template."""
        return "table"


@dataclass(frozen=True, kw_only=True, slots=True)
class Charts:
    """Charts side by side."""

    charts: Sequence[Chart | Intervals]
    caption: str = ""
    folded: bool = False
    """True if they are shown only on request, under their caption."""

    @property
    def kind(self) -> str:
        """``charts``, for the template."""
        return "charts"

    @property
    def wide(self) -> bool:
        """True if the charts need more room, since their rows are labelled inside."""
        return any(isinstance(chart, Intervals) for chart in self.charts)


Block: TypeAlias = Table | Charts


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of the page with a heading."""

    title: str
    paragraphs: Sequence[str] = ()
    blocks: Sequence[Block] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Contents of a page."""

    title: str
    subtitle: str = ""
    conclusion: Sequence[str] = ()
    """Sentences at the top, in plain words."""
    remark: str = ""
    """Advice on reading the conclusion, below it; shown only with one."""
    sections: Sequence[Section] = ()
    games: Sequence[Game] = ()


def render_page(page: Page) -> str:
    """The page as HTML."""
    style, script = _asset("page.css"), _asset("page.js")
    html: str = _template().render(
        page=page,
        generator=GENERATOR,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        data=embedded({"games": [asdict(game) for game in page.games]}),
    )
    return html


def write_page(page: Page, path: Path) -> None:
    """Write the page to a file, which only its owner can read: it holds what people asked.

    A page that is there already is replaced.

    Raises:
        PageError: there is a file that is no page, or no folder for it.
    """
    if path.is_dir():
        raise PageError(f"{path} is a folder: name a file, such as {path / 'page.html'}")
    if not path.parent.is_dir():
        raise PageError(f"there is no folder {path.parent} for {path.name}: make it first")
    if path.exists() and not _is_page(path):
        raise PageError(
            f"{path} is there already and is not a page of this program, so it is not replaced: "
            "name another file with --out"
        )
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(render_page(page))
    beside.replace(path)


def embedded(data: Any) -> str:
    """Plain data as JSON that can stand in a script element, with every text made visible.

    No character of it is special in HTML, and none is outside of ASCII.
    """
    text = json.dumps(_visible(data), separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _visible(data: Any) -> Any:
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, (list, tuple)):
        return [_visible(item) for item in data]
    if isinstance(data, dict):
        return {_visible(name): _visible(value) for name, value in data.items()}
    return data


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return GENERATOR.encode() in file.read(1024)


@cache
def _template() -> Any:
    from jinja2 import Environment

    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_finalised
    )
    return environment.from_string(_asset("page.html"))


def _finalised(value: Any) -> Any:
    """Make a text visible before it is escaped; what the template calls safe is ours."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _asset(name: str) -> str:
    return (files("econ_pages") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Source of the content security policy that allows exactly this text."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
