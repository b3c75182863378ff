"""Tests of the picture: it shows all methods with results, none hidden by another."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.comparison import picture
from benchmarks.comparison.findings import Comparison
from benchmarks.comparison.picture import draw, points_of, spread
from benchmarks.comparison.report import summarise
from econ_agents.logging.plots import PlotError
from econ_env.llm.types import Usage
from tests.benchmarks.hand_made import about, failed, record

PNG = b"\x89PNG\r\n\x1a\n"


def compared(**tokens: int) -> Comparison:
    records = [
        record(method, f"q{i}", i > 0, usage=Usage(prompt_tokens=spent, requests=1))
        for method, spent in tokens.items()
        for i in range(4)
    ]
    methods = about(*tokens, "debate", questions=4, budget_target=next(iter(tokens)))
    return summarise([*records, failed("debate", "q0")], methods)


def test_the_picture_is_a_png_and_an_svg_and_the_same_again(tmp_path: Path) -> None:
    comparison = compared(econ=900, cot=90, greedy=90)
    files = draw(comparison, tmp_path / "new" / "folder")
    assert [file.name for file in files] == ["comparison.png", "comparison.svg"]
    assert files[0].read_bytes().startswith(PNG)
    root = ElementTree.parse(files[1]).getroot()  # noqa: S314 - written just now, by ourselves
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    again = draw(comparison, tmp_path / "again")
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in again]


def test_points_are_the_methods_that_have_results() -> None:
    points = points_of(compared(econ=900, cot=90))
    assert [(point.method, point.tokens, point.target) for point in points] == [
        ("econ", 900.0, True),
        ("cot", 90.0, False),
    ]
    assert points[0].accuracy.mean == 0.75


def test_no_results_are_no_picture(tmp_path: Path) -> None:
    assert draw(summarise([failed("cot", "q0")], about("cot")), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_models_that_count_no_tokens_are_drawn_all_the_same(tmp_path: Path) -> None:
    assert len(draw(compared(econ=0, cot=0), tmp_path)) == 2


@given(st.lists(st.floats(0, 1), max_size=15), st.floats(0.01, 0.2))
def test_points_stand_apart_in_their_order(places: list[float], apart: float) -> None:
    moved = spread(places, apart)
    order = sorted(range(len(places)), key=lambda index: places[index])
    for one, other in pairwise(order):
        assert moved[other] - moved[one] >= apart - 1e-9
    assert sum(moved) == pytest.approx(sum(places), abs=1e-9)


def test_points_that_are_apart_stay_where_they_are() -> None:
    assert spread([0.9, 0.1, 0.5], 0.1) == [0.9, 0.1, 0.5]
    assert spread([0.5, 0.5, 0.9], 0.1) == pytest.approx([0.45, 0.55, 0.9])


def test_methods_share_a_colour_with_their_settings_and_no_marker() -> None:
    methods = "greedy greedy:model=m cot econ econ:rounds=3 econ:rule=coordinator debate".split()
    styles = picture._styles(methods)
    assert len({style["marker"] for style in styles}) == len(methods)
    colours = [style["color"] for style in styles]
    assert colours[3] == colours[4] == colours[5]
    assert len(set(colours)) == 4


def test_drawing_leaves_nothing_behind_in_the_process(tmp_path: Path) -> None:
    already = "matplotlib.pyplot" in sys.modules
    draw(compared(econ=100), tmp_path)
    assert already or "matplotlib.pyplot" not in sys.modules


def test_without_matplotlib_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match=r"econ-env\[train\]"):
        draw(compared(econ=100), tmp_path)
