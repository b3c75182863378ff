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
