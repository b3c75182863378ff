"""Comparisons with other methods in words and as sections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from econ_agents.reporting.comparisons import comparison_sections, main_contrast, plain_name
from econ_agents.reporting.saved_comparisons import SavedComparison, read_comparisons
from econ_pages.charts import Intervals
from econ_pages.page import Charts, Section, Table
from tests.econ_agents.reporting.plain_comparisons import VOTE, comparison, save


def read(folder: Path, data: dict[str, Any]) -> SavedComparison:
    save(folder, data)
    return read_comparisons(folder)[0]


def table_of(section: Section) -> Table:
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    return table


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("econ", "the trained team"),
        ("greedy", "one greedy answer"),
        ("self_consistency:k=8", "a majority vote (k=8)"),
        (
            "self_consistency:k=8,temperature=1,repetition_penalty=1.1",
            "a majority vote (k=8, T=1, p=1.1)",
        ),
        (
            "first_round_vote:of=econ:rounds=3",
            "a vote of the team's first answers (of=econ:rounds=3)",
        ),
        ("somebody_elses:k=8,n=2", "somebody_elses:k=8,n=2"),
        ("x" * 500, "x" * 99 + "…"),
        ("econ:" + "x" * 500, f"the trained team ({'x' * 99}…)"),
    ],
)
def test_methods_have_plain_names(spec: str, name: str) -> None:
    assert plain_name(spec) == name


def test_a_row_tells_accuracy_difference_tokens_and_finding(tmp_path: Path) -> None:
    (section,) = comparison_sections([read(tmp_path, comparison())])
    assert section.title == "Compared with other methods"
    assert table_of(section).rows == [
        [
            "one greedy answer",
            "100 of 200",
            "50.0% (45.0 to 55.0)",
            "−13.5 points (−20.0 to −7.0)",
            "40",
            "worse",
        ],
        [
            "a majority vote (k=8, T=1)",
            "127 of 200",
            "63.5% (58.5 to 68.5)",
            "–",
            "306",
            "the others are compared with it",
        ],
        [
            "the trained team",
            "140 of 200",
            "70.0% (65.0 to 75.0)",
            "+6.5 points (2.0 to 11.0)",
            "301",
            "better, the primary contrast",
        ],
    ]


def test_a_section_says_what_was_asked_and_what_was_named_before(tmp_path: Path) -> None:
    (section,) = comparison_sections([read(tmp_path, comparison())])
    about, contrast = section.paragraphs
    assert about == (
        "Every method answered the same 200 questions of the data set arithmetic with the same "
        "models (bundled; 1 seed). Made to cost as many tokens as the trained team: a majority "
        "vote (k=8, T=1)."
    )
    assert contrast.startswith(
        "The primary contrast, named before the run: the trained team against a majority vote "
        "(k=8, T=1). "
    )
    assert "the loss is smaller than 2 points" in contrast


def test_without_a_primary_contrast_the_section_says_so(tmp_path: Path) -> None:
    (section,) = comparison_sections([read(tmp_path, comparison("as good", primary=None))])
    assert section.paragraphs[1].startswith(
        "Points are against a majority vote (k=8, T=1). No contrast was named as the primary one"
    )
    assert table_of(section).rows[2][5] == "as good as it"


def test_methods_without_a_result_have_a_row_and_no_place_in_the_chart(tmp_path: Path) -> None:
    data = comparison()
    data["methods"][0].update(accuracy=None, spending=None, differences=[])
    (section,) = comparison_sections([read(tmp_path, data)])
    assert table_of(section).rows[0][2:] == ["–", "–", "–", "not compared"]
    (charts,) = (block for block in section.blocks if isinstance(block, Charts))
    (chart,) = charts.charts
    assert isinstance(chart, Intervals)
    assert [row.label for row in chart.rows] == ["a majority vote (k=8, T=1)", "the trained team"]


def test_the_worth_of_parts_is_a_table_of_its_own(tmp_path: Path) -> None:
    part = {
        "part": "learning",
        "ours": "econ",
        "theirs": "econ_fixed:temperature=0.4",
        "pairs": 200,
        "accuracy": {"mean": 0.065, "low": 0.02, "high": 0.11},
    }
    save(tmp_path, comparison() | {"parts": [part]})
    [section] = comparison_sections(read_comparisons(tmp_path))
    table = section.blocks[-1]
    assert isinstance(table, Table)
    (row,) = table.rows
    assert row[:3] == ["learning", "the trained team", "the team at one setting (T=0.4)"]
    assert row[3] == "+6.5 points (2.0 to 11.0)"


def test_nothing_finished_is_a_table_alone(tmp_path: Path) -> None:
    data = comparison(primary=None)
    for method in data["methods"]:
        method.update(accuracy=None, spending=None, differences=[])
    found = read(tmp_path, data)
    (section,) = comparison_sections([found])
    assert [type(block) for block in section.blocks] == [Table]
    assert section.paragraphs[1].startswith("No method was compared with another.")
    assert main_contrast(found) is None


def test_several_comparisons_have_the_names_of_their_folders(tmp_path: Path) -> None:
    for name in ("math_team", "arithmetic_bundled"):
        save(tmp_path, comparison(), name)
    assert [section.title for section in comparison_sections(read_comparisons(tmp_path))] == [
        "Compared with other methods: arithmetic_bundled",
        "Compared with other methods: math_team",
    ]
    assert comparison_sections([]) == []


@pytest.mark.parametrize(
    ("primary", "names"),
    [
        (["econ", "greedy"], ("econ", "greedy")),
        (["greedy", VOTE], ("greedy", VOTE)),
        (None, ("econ", VOTE)),
    ],
)
def test_the_main_contrast_is_the_one_named_else_that_of_the_trained_team(
    primary: list[str] | None, names: tuple[str, str], tmp_path: Path
) -> None:
    found = main_contrast(read(tmp_path, comparison(primary=primary)))
    assert found is not None
    ours, theirs, difference = found
    assert (ours.name, theirs.name) == names
    assert difference.to == theirs.name
