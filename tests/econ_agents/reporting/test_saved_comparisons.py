"""Comparisons with other methods, read back from a run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparison.findings import Comparison
from benchmarks.comparison.output import COMPARISON_FILE
from econ_agents.reporting import saved_results
from econ_agents.reporting.saved_comparisons import FILE, FOLDER, MOST, read_comparisons
from econ_agents.statistics import Interval
from econ_pages.errors import PageError
from tests.econ_agents.reporting.plain_comparisons import VOTE, comparison, save

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"


def test_a_run_may_have_no_comparison(tmp_path: Path) -> None:
    assert read_comparisons(tmp_path) == []
    (tmp_path / FOLDER / "begun").mkdir(parents=True)
    assert read_comparisons(tmp_path) == []


def test_a_comparison_is_read_with_its_methods_and_their_differences(tmp_path: Path) -> None:
    save(tmp_path, comparison())
    (found,) = read_comparisons(tmp_path)
    assert (found.folder, found.dataset, found.llm) == (
        "arithmetic_bundled",
        "arithmetic",
        "bundled",
    )
    assert (found.questions, found.seeds, found.margin) == (200, 1, 0.02)
    assert (found.primary, found.target, found.matched) == (("econ", VOTE), "econ", (VOTE,))
    trained = found.method("econ")
    assert trained is not None
    assert (trained.correct, trained.finished, trained.tokens) == (140, 200, 301.0)
    assert trained.accuracy == Interval(mean=0.7, low=0.7 - 0.05, high=0.7 + 0.05)
    difference = trained.minus(VOTE)
    assert difference is not None
    assert difference.finding == "better"
    assert difference.accuracy == Interval(mean=0.065, low=0.02, high=0.11)
    assert trained.minus("econ") is None


def test_what_compare_wrote_can_be_read(tmp_path: Path) -> None:
    text = (RESULTS / "comparison_simulated.json").read_text(encoding="utf-8")
    save(tmp_path, text)
    (found,) = read_comparisons(tmp_path)
    assert COMPARISON_FILE == FILE
    written = Comparison.from_json(json.loads(text), "results")
    assert [method.name for method in found.methods] == list(written.about.methods)
    assert found.primary == written.about.primary
    assert found.reference == written.references[0]
    assert [method.accuracy for method in found.methods] == [
        None if method.accuracy is None else method.accuracy.overall for method in written.methods
    ]


def test_methods_without_a_result_have_no_figures(tmp_path: Path) -> None:
    data = comparison()
    data["methods"][0].update(accuracy=None, spending=None, differences=[])
    save(tmp_path, data)
    greedy = read_comparisons(tmp_path)[0].methods[0]
    assert (greedy.accuracy, greedy.tokens, greedy.differences) == (None, None, ())


@pytest.mark.parametrize(
    ("changes", "reference"),
    [
        ({}, VOTE),
        ({"primary": ["econ", "greedy"]}, "greedy"),
        ({"primary": None}, VOTE),
    ],
)
def test_methods_are_compared_with_the_primary_reference_else_with_a_vote(
    changes: dict[str, Any], reference: str, tmp_path: Path
) -> None:
    save(tmp_path, comparison(**changes))
    assert read_comparisons(tmp_path)[0].reference == reference


def test_without_a_vote_methods_are_compared_with_greedy(tmp_path: Path) -> None:
    data = comparison(primary=None)
    data["methods"] = [data["methods"][0] | {"differences": []}, data["methods"][2]]
    data["methods"][1]["differences"] = data["methods"][1]["differences"][:1]
    save(tmp_path, data)
    assert read_comparisons(tmp_path)[0].reference == "greedy"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.update(methods=5), r"methods must be a list"),
        (lambda data: data["about"].pop("dataset"), r"about lacks dataset: compare again"),
        (lambda data: data["about"].update(primary=["econ"]), r"primary must have two methods"),
        (
            lambda data: data["methods"][2]["accuracy"].update(overall={}),
            r"arithmetic_bundled/comparison.json.methods\[2\].accuracy.overall lacks mean: compare",
        ),
        (
            lambda data: data["methods"][2]["differences"][0].update(finding="great"),
            r"differences\[0\].finding must be one of better, worse, as good, open, got 'great'",
        ),
        (
            lambda data: data["methods"][0]["spending"].update(tokens=float("inf")),
            r"spending.tokens must be a finite number",
        ),
        (
            lambda data: data.update(methods=data["methods"] * MOST),
            rf"has {3 * MOST} methods, and at most {MOST} are read",
        ),
    ],
)
def test_a_damaged_comparison_is_refused_with_the_place(
    change: Any, said: str, tmp_path: Path
) -> None:
    data = comparison()
    change(data)
    save(tmp_path, data)
    with pytest.raises(PageError, match=said):
        read_comparisons(tmp_path)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\x00", '{"about": 1e999}'])
def test_a_file_that_is_no_comparison_is_refused(text: str, tmp_path: Path) -> None:
    save(tmp_path, text)
    with pytest.raises(PageError, match=r"comparison\.json"):
        read_comparisons(tmp_path)


def test_a_file_is_read_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_results, "LIMIT", 100)
    save(tmp_path, comparison())
    with pytest.raises(PageError, match="and at most 100 are read"):
        read_comparisons(tmp_path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    theirs = save(tmp_path / "theirs", comparison())
    run = tmp_path / "run"
    (run / FOLDER).mkdir(parents=True)
    (run / FOLDER / "linked").symlink_to(theirs)
    with pytest.raises(PageError, match="linked is a link, which may lead anywhere"):
        read_comparisons(run)
    (run / FOLDER / "linked").unlink()
    (run / FOLDER / "own").mkdir()
    (run / FOLDER / "own" / FILE).symlink_to(theirs / FILE)
    with pytest.raises(PageError, match=r"comparison\.json is a link"):
        read_comparisons(run)


def test_more_comparisons_than_a_page_can_show_are_refused(tmp_path: Path) -> None:
    for i in range(MOST + 1):
        save(tmp_path, "{}", f"number_{i}")
    with pytest.raises(PageError, match=f"holds {MOST + 1} comparisons"):
        read_comparisons(tmp_path)
