"""The page as a file: complete in itself, safe with any text, and careful with other files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_pages.charts import Chart, Series
from econ_pages.errors import PageError
from econ_pages.page import Charts, Link, Page, Section, Table, embedded, render_page, write_page
from econ_pages.transcripts import read_game
from tests.econ_pages.plain_games import played, transcript

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\u202e\u2028\x1b[31m\"'"
)
GAME = read_game(
    transcript(played(HOSTILE, "7", value=HOSTILE), gold=HOSTILE, scores=(1.0, 0.0)),
    number=1,
    source=HOSTILE,
    where="game",
)
PAGE = Page(
    title=HOSTILE,
    subtitle=HOSTILE,
    conclusion=[HOSTILE],
    sections=[
        Section(
            title=HOSTILE,
            paragraphs=[HOSTILE],
            blocks=[
                Table(
                    head=[HOSTILE], rows=[[HOSTILE, Link(text=HOSTILE, game=1)]], caption=HOSTILE
                ),
                Charts(
                    charts=[
                        Chart(
                            title=HOSTILE,
                            x_label=HOSTILE,
                            y_label=HOSTILE,
                            series=[Series(label=HOSTILE, x=[0, 1], y=[0, 1])],
                        )
                    ]
                ),
            ],
        )
    ],
    games=[GAME],
)


class Parts(HTMLParser):
    """Elements of a page with their attributes, and the contents of styles and scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.contents: list[tuple[str, str]] = []
        self._inside: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.contents.append((self._inside, data))


def test_hostile_texts_add_no_element_and_no_attribute() -> None:
    calm = Parts(render_page(PAGE).replace("alert(1)", "alert(2)"))
    tags = [tag for tag, _ in calm.elements]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert not [name for _, attributes in calm.elements for name in attributes if name[:2] == "on"]


def test_texts_reach_the_page_with_their_marks_visible() -> None:
    html = render_page(PAGE)
    assert not set(html) & set("\u202e\u2028\x1b")
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;amp;⟨U+202E⟩⟨U+2028⟩␛[31m" in html


def test_the_data_of_the_page_are_the_games() -> None:
    (data,) = (text for tag, text in Parts(render_page(PAGE)).contents if "games" in text[:10])
    (game,) = json.loads(data)["games"]
    assert game["answer"] == HOSTILE.replace("\u202e\u2028\x1b", "⟨U+202E⟩⟨U+2028⟩␛")
    assert game["correct"] is True


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(plain)
def test_embedded_data_hold_no_character_that_html_or_javascript_knows(data: Any) -> None:
    text = embedded(data)
    assert text.isascii()
    assert not set(text) & set("<>&")
    json.loads(text)


def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() -> None:
    parts = Parts(render_page(PAGE))
    (policy,) = (
        attributes["content"] or ""
        for tag, attributes in parts.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    (style,) = (text for tag, text in parts.contents if tag == "style")
    script = [text for tag, text in parts.contents if tag == "script"][-1]
    for text, rule in ((style, "style-src"), (script, "script-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not [each for _, each in parts.elements if "style" in each]


def test_the_page_loads_nothing() -> None:
    calm = Page(title="a run", sections=PAGE.sections[:0], games=[GAME])
    parts = Parts(render_page(calm))
    for _, attributes in parts.elements:
        assert not {"src", "srcset", "data", "action"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    for tag, text in parts.contents:
        assert tag != "style" or not re.search(r"url\(|@import", text)
        assert "innerHTML" not in text
        assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import)\s*\(", text)


def test_only_the_owner_can_read_a_page(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(PAGE, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_page_is_replaced_and_no_other_file_is(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(Page(title="before"), path)
    write_page(Page(title="after"), path)
    assert "after" in path.read_text(encoding="utf-8")
    games = tmp_path / "games.jsonl"
    games.write_text("precious", encoding="utf-8")
    with pytest.raises(PageError, match="is not a page of this program"):
        write_page(PAGE, games)
    assert games.read_text(encoding="utf-8") == "precious"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["games.jsonl", "page.html"]


def test_a_page_needs_a_place_that_can_hold_it(tmp_path: Path) -> None:
    with pytest.raises(PageError, match="is a folder"):
        write_page(PAGE, tmp_path)
    with pytest.raises(PageError, match="there is no folder"):
        write_page(PAGE, tmp_path / "nowhere" / "page.html")
