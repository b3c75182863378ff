"""Files with games, found and read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from econ_pages.errors import PageError
from econ_pages.files import find_games, read_games, takes_games
from tests.econ_pages.plain_games import played, transcript

GAME = transcript(played("7", "7", value="7"))


def write(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def lines(path: Path, *data: Any, end: str = "\n") -> Path:
    text = "\n".join(json.dumps(item, ensure_ascii=False) for item in data)
    path.write_text(text + end, encoding="utf-8")
    return path


def test_the_arm_of_a_test_is_read_from_its_traces(tmp_path: Path) -> None:
    traces = [{"arm": "refined", "transcript": GAME}, {"arm": 7, "transcript": GAME}]
    file = write(tmp_path / "llm_traces_test_bne_3rounds.json", traces)
    assert [game.arm for game in read_games([file]).games] == ["refined", ""]


def test_games_are_appended_to_new_empty_and_own_files_only(tmp_path: Path) -> None:
    new, empty, own, other = (tmp_path / name for name in ("new", "empty", "own", "other"))
    empty.touch()
    own.write_text(json.dumps(GAME) + "\n", encoding="utf-8")
    other.write_text('{"step": 1}\n', encoding="utf-8")
    assert [takes_games(file) for file in (new, empty, own, other)] == [True, True, True, False]


def test_games_of_play_traces_and_logs_are_read(tmp_path: Path) -> None:
    for file in (
        lines(tmp_path / "games.jsonl", GAME, GAME),
        write(tmp_path / "llm_traces_test_bne_3rounds.json", [{"seed": 1, "transcript": GAME}] * 2),
        write(tmp_path / "logs_p0_test_p0.json", {"episodes": [{"transcript": GAME}] * 2}),
    ):
        found = read_games(find_games(file))
        assert [(game.number, game.source) for game in found.games] == [
            (1, file.name),
            (2, file.name),
        ]


def test_games_that_a_named_script_wrote_twice_are_read_once(tmp_path: Path) -> None:
    arms = {"baseline": "one round", "p0": "refined"}
    for name, arm in arms.items():
        episodes = [{"arm": arm, "transcript": GAME}]
        write(tmp_path / f"logs_p0_test_{name}.json", {"arm": name, "episodes": episodes})
    write(tmp_path / "llm_traces_test_bne_3rounds.json", [{"arm": "refined", "transcript": GAME}])
    games = read_games(find_games(tmp_path)).games
    assert [game.arm for game in games] == ["one round", "refined"]


def test_a_file_with_a_single_game_is_read(tmp_path: Path) -> None:
    assert len(read_games([lines(tmp_path / "games.jsonl", GAME)]).games) == 1


def test_line_breaks_inside_of_texts_end_no_game(tmp_path: Path) -> None:
    odd = transcript(played("7", "7", value="7"), failed="a\u2028b\x85c")
    assert len(read_games([lines(tmp_path / "games.jsonl", odd, GAME)]).games) == 2


def test_all_files_of_a_run_with_games_are_found_and_no_others(tmp_path: Path) -> None:
    lines(tmp_path / "metrics.jsonl", {"step": 20})
    write(tmp_path / "test_report.json", {})
    kept = {
        write(tmp_path / "llm_traces_test_bne_1rounds.json", [{"transcript": GAME}]),
        write(tmp_path / "llm_traces_test_bne_3rounds.json", [{"transcript": GAME}]),
        lines(tmp_path / "games.jsonl", GAME),
    }
    assert set(find_games(tmp_path)) == kept
    games = read_games(find_games(tmp_path)).games
    assert [game.number for game in games] == [1, 2, 3]
    assert {game.source for game in games} == {path.name for path in kept}


def test_a_last_line_that_was_cut_off_is_left_out_with_a_note(tmp_path: Path) -> None:
    file = lines(tmp_path / "games.jsonl", GAME, GAME, end='\n{"question": {"id"')
    found = read_games([file])
    assert len(found.games) == 2
    assert found.notes == (f"{file}:3 was cut off and is left out",)


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "games.jsonl"
    file.write_text(f"{json.dumps(GAME)}\n{{broken\n{json.dumps(GAME)}\n", encoding="utf-8")
    with pytest.raises(PageError, match=r"games.jsonl:2 is not a game"):
        read_games([file])


@pytest.mark.parametrize("text", ['{"step": 1}', "[1, 2]", "hello\nworld\n", "[" * 100_000])
def test_what_holds_no_games_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PageError, match="is not a game: name a file that"):
        read_games([file])


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(PageError, match="not text in UTF-8"):
        read_games([file])


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PageError, match="no file and no folder"):
        find_games(tmp_path / "nowhere")
