"""``econ-agents report`` on a run that was trained and tested."""

from __future__ import annotations

import json
import shutil
import webbrowser
from pathlib import Path

import pytest

from econ_agents.commands.cli import main
from econ_agents.config.files import CONFIG_FILE
from econ_agents.evaluation.report import REPORT_FILE
from tests.econ_agents.reporting.plain_comparisons import comparison, save
from tests.econ_agents.small_runs import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = train(tmp_path_factory.mktemp("runs") / "small", "n_agents=2", "test.untrained=true")
    command = ["test", "--model-dir", str(folder), "--log-dir", str(folder), "--episodes", "6"]
    assert main(command) == 0
    return folder


def page_of(run: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"page: {run / 'report.html'}\n"
    return (run / "report.html").read_text(encoding="utf-8")


def test_the_page_tells_what_was_learned_and_shows_what_was_played(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html = page_of(run, capsys)
    for part in (
        '<h1 dir="auto">Run small</h1>',
        "Training ",
        "Refinement (up to 3 rounds) ",
        "of 6 test questions right",
        *("<h3>Accuracy</h3>", "<h3>Temperature T</h3>", "range allowed", "<h3>Local TD</h3>"),
        "trained team, refined (up to 3 rounds)",
        *("Lowest team reward", 'href="#game-7"'),
        *("Ranges in brackets are 95% intervals", "losses of the learner over training"),
        *("Every question is one game", "How to read a game"),
        *("train.episodes", '<td dir="auto">econ-agents</td>'),
    ):
        assert part in html, part
    _, _, rest = html.partition('<script id="data" type="application/json">')
    games = json.loads(rest.partition("</script>")[0])["games"]
    assert [game["number"] for game in games] == list(range(1, 13))
    assert [game["arm"] for game in games] == ["one round"] * 6 + ["refined"] * 6
    assert 'href="#game-6"' not in html, "games of one arm are named once"
    assert {game["correct"] for game in games} <= {True, False}


COMMAND = "benchmarks/compare.py --methods econ self_consistency --budget-match econ --model-dir"


def test_the_page_of_a_run_without_a_comparison_names_the_command_that_makes_one(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html = page_of(run, capsys)
    assert f"{COMMAND} {run}" in html
    assert "Compared with other methods" not in html
    program = (Path(__file__).parents[3] / "run_econ.sh").read_text(encoding="utf-8")
    assert COMMAND.removeprefix("benchmarks/compare.py ") in program


def test_the_page_shows_the_comparisons_of_the_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "compared"
    shutil.copytree(run, copy)
    save(copy, comparison(dataset="<script>alert(1)</script>"))
    html = page_of(copy, capsys)
    assert "<h2>Compared with other methods</h2>" in html
    assert "the trained team did better than a majority vote (k=8, T=1)" in html
    assert "+6.5 points (2.0 to 11.0)" in html
    assert "<script>alert" not in html
    assert COMMAND not in html


def test_a_damaged_comparison_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "damaged"
    shutil.copytree(run, copy)
    save(copy, "{")
    assert main(["report", str(copy)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "arithmetic_bundled/comparison.json is damaged: compare again" in line


def test_a_run_that_was_not_tested_has_a_page_too(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "untested"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("*.html", "llm_*", REPORT_FILE))
    html = page_of(copy, capsys)
    assert "This run was not tested yet" in html
    assert "<h3>Accuracy</h3>" in html
    assert '<section id="games">' not in html


def test_the_page_goes_where_it_is_wanted_and_is_opened(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = tmp_path / "mine.html"
    assert main(["report", str(run), "--out", str(page), "--open"]) == 0
    assert opened == [page.as_uri()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "RUN is required"),
        (["nowhere"], f"it has no {CONFIG_FILE}. Name the folder that econ-agents train has made"),
    ],
)
def test_a_mistake_gets_one_helpful_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_damaged_report_is_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "damaged"
    shutil.copytree(run, copy)
    (copy / REPORT_FILE).write_text("{", encoding="utf-8")
    assert main(["report", str(copy)]) == 2
    assert "test_report.json is damaged" in capsys.readouterr().err
