"""``econ-agents report`` on a run that was trained and tested."""

from __future__ import annotations

import json
import shutil
import webbrowser
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from econ_agents.commands.cli import main
from econ_agents.config.files import CONFIG_FILE
from econ_agents.evaluation.report import REPORT_FILE
from econ_agents.logging.metrics_log import JSONL
from econ_agents.reporting.run_page import SHOWN_GAMES, RunFiles, read_run, run_page
from econ_agents.reporting.saved_results import Equilibrium
from econ_agents.statistics import Interval
from econ_pages.files import Found
from econ_pages.page import Table, render_page
from econ_pages.transcripts import read_game
from tests.econ_agents.reporting.plain_comparisons import comparison, save
from tests.econ_agents.reporting.test_conclusion import STILL, arm
from tests.econ_agents.small_runs import small_config, train
from tests.econ_pages.plain_games import played, transcript

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = train(tmp_path_factory.mktemp("runs") / "small", "n_agents=2", "test.untrained=true")
    command = ["test", "--model-dir", str(folder), "--log-dir", str(folder), "--episodes", "6"]
    assert main(command) == 0
    return folder


FACTORY = "somebody.games:make"


def files_of(**changes: Any) -> RunFiles:
    """A run in somebody's environment, which judges no answers, after all of its training."""
    config = small_config("train.episodes=3000", f"env.factory={FACTORY}", preset="mpe_spread")
    line = {"step": 3000.0, "collection/reward_mean": 0.5, "collection/team_reward": 0.5}
    line |= {f"collection/action_0/agent_{i}": 0.1 for i in range(2)}
    settings: dict[str, Any] = {
        "folder": "runs/other",
        "name": "other",
        "config": config,
        "lines": [line],
        "episodes": 3000,
        "tested": None,
        "equilibria": [],
        "comparisons": [],
        "found": Found(games=(), files=(), notes=()),
    }
    return RunFiles(**settings | changes)


def text_of(run: RunFiles) -> str:
    return unescape(render_page(run_page(run, "econ-agents 1")))


def test_agents_of_an_environment_without_executors_are_counted() -> None:
    page = run_page(files_of(), "")
    assert page.subtitle.startswith("2 agents · 3,000 training episodes · ")
    assert "None" not in page.subtitle


def test_a_test_without_verdicts_has_a_table_of_rewards_alone() -> None:
    blind = replace(arm(0, None), correct=None, accuracy=None, rounds_per_question=25.0)
    tested = replace(STILL, rounds=1, baseline=blind, bne=blind)
    page = run_page(files_of(tested=(tested, None)), "")
    (section,) = (each for each in page.sections if each.title == "The test")
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert table.head == ["", "played", "team reward (95%)", "steps an episode", "failed"]
    (row,) = table.rows
    assert row == ["trained team, one round", "200 episodes", "0.8 (0.75 to 0.85)", "25.00", "0"]


def test_commands_for_a_factory_that_no_file_may_name_name_it() -> None:
    flags = f"--model-dir runs/other --env.factory {FACTORY}"
    html = text_of(files_of(lines=[{**files_of().lines[0], "step": float(i)} for i in range(60)]))
    assert f"econ-agents test {flags} tests it" in html
    assert f"econ-agents nash {flags} measures it now" in html


def test_nash_conv_that_was_measured_since_is_not_asked_for() -> None:
    interval = Interval(mean=0.05, low=0.01, high=0.09)
    measured = Equilibrium(seed=0, interval=interval, questions=20, gains=())
    lines = [{**files_of().lines[0], "step": float(i)} for i in range(60)]
    assert "NashConv was not measured" in text_of(files_of(lines=lines))
    assert "NashConv was not measured" not in text_of(files_of(lines=lines, equilibria=[measured]))


def test_a_training_that_was_interrupted_says_where() -> None:
    page = run_page(files_of(episodes=160), "")
    assert "stopped at 160 of 3,000 training episodes" in page.subtitle


def test_episodes_of_a_checkpoint_count_before_their_line_is_logged(
    run: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "interrupted"
    shutil.copytree(run, copy)
    kept = copy / "checkpoints"
    shutil.rmtree(kept / "final")
    lines = (copy / JSONL).read_text(encoding="utf-8").splitlines(keepends=True)
    (copy / JSONL).write_text("".join(lines[:-1]), encoding="utf-8")
    assert json.loads(lines[-2])["step"] < 40
    assert read_run(copy).episodes == 40
    shutil.rmtree(kept)
    assert read_run(copy).episodes == json.loads(lines[-2])["step"], "what was logged"


@pytest.mark.parametrize("count", [4, 5])
def test_few_games_have_no_best_and_worst(count: int) -> None:
    found = tuple(
        read_game(
            transcript(played("7", "8", value="7")), number=i, source="g.json", where=f"g.json:{i}"
        )
        for i in range(1, count + 1)
    )
    page = run_page(files_of(found=Found(games=found, files=(), notes=())), "")
    titles = [section.title for section in page.sections]
    assert ("Best and worst games" in titles) is (count >= SHOWN_GAMES)


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
    rounds = [len(game["decisions"][0]["rounds"]) for game in games if game["arm"] == "refined"]
    assert f"<td>{sum(rounds) / 6:.2f}</td>" in html.replace(' dir="auto"', ""), "as its games say"
    assert 'href="#game-6"' not in html, "games of one arm are named once"
    assert {game["correct"] for game in games} <= {True, False}


COMMAND = (
    "benchmarks/compare.py --methods econ self_consistency --budget-match econ "
    "--tune train --model-dir"
)


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
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)  # which finds no browser
    page = tmp_path / "mine.html"
    assert main(["report", str(run), "--out", str(page), "--open"]) == 0
    assert opened == [page.as_uri()]
    assert f"no browser was found: open {page}" in capsys.readouterr().err


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
