"""``econ-env view`` as a user meets it."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from econ_env.commands.cli import main
from tests.econ_pages.plain_games import played, transcript

PLAY = ["play", "--dataset", "simulated", "--llm", "simulated", "--show", "0"]


def games_of(page: Path) -> list[dict[str, Any]]:
    html = page.read_text(encoding="utf-8")
    _, _, rest = html.partition('<script id="data" type="application/json">')
    games: list[dict[str, Any]] = json.loads(rest.partition("</script>")[0])["games"]
    return games


def test_what_was_played_can_be_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "games.jsonl"
    assert main([*PLAY, "--questions", "5", "--bne-rounds", "2", "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["view", str(out)]) == 0
    assert capsys.readouterr().out == f"page: {tmp_path / 'games.html'} (5 games)\n"
    played_games = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for game, record in zip(games_of(tmp_path / "games.html"), played_games, strict=True):
        assert game["question"] == record["question"]["text"]
        # Every answer has a verdict, also those of rounds that were not paid.
        rounds = [each for decision in game["decisions"] for each in decision["rounds"]]
        assert all(r["correct"] is not None for each in rounds for r in each["responses"])
        last = record["decisions"][-1]["rewards"]["team_components"]["TS"]
        assert game["correct"] is (last == 1)


def test_a_folder_is_looked_at_as_a_whole(tmp_path: Path) -> None:
    for name in ("llm_traces_test_bne_1rounds.json", "llm_traces_test_bne_3rounds.json"):
        traces = [{"number": 0, "seed": 1, "transcript": transcript(played("7", "8", value="7"))}]
        (tmp_path / name).write_text(json.dumps(traces), encoding="utf-8")
    assert main(["view", str(tmp_path)]) == 0
    assert len({game["source"] for game in games_of(tmp_path / "games.html")}) == 2


@pytest.mark.parametrize("found", [True, False])
def test_the_page_is_opened_on_request_and_named_where_there_is_no_browser(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: bool,
) -> None:
    opened: list[str] = []

    def browse(page: str) -> bool:
        opened.append(page)
        return found

    monkeypatch.setattr(webbrowser, "open", browse)
    file = tmp_path / "games.jsonl"
    file.write_text(json.dumps(transcript(played("7", "8", value="7"))), encoding="utf-8")
    page = tmp_path / "a page.html"
    assert main(["view", str(file), "--out", str(page), "--open"]) == 0
    assert opened == [page.as_uri()]
    said = "" if found else f"no browser was found: open {page} in one yourself\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("name", ["nowhere.jsonl", "", "report.json"])
def test_what_holds_no_games_is_a_mistake_in_one_line(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.json").write_text('{"rounds": 3}', encoding="utf-8")
    assert main(["view", str(tmp_path / name)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("econ-env view: ")
    assert "game" in line or "no file" in line
