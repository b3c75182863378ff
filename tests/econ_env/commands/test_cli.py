"""The command line as a user meets it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from econ_console.parser_errors import objection
from econ_env.commands.cli import main, parse
from econ_env.commands.play import Play
from econ_env.game.transcript import Transcript
from econ_env.llm import ChatRequest, Completion
from econ_env.llm.simulated.model import SimulatedModel
from econ_env.questions import load_questions
from tests.support import RecordingModel

PLAY = ["play", "--dataset", "simulated", "--llm", "simulated"]


def transcripts_in(path: Path) -> list[Transcript]:
    return [Transcript.from_json(json.loads(line)) for line in path.read_text().splitlines()]


def test_play_shows_episodes_and_sums_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAY, "--questions", "5", "--show", "2"]) == 0
    out = capsys.readouterr().out
    assert [out.count(f"=== game {n} ·") for n in (1, 2, 3)] == [1, 1, 0]
    for part in ("T=0.70 p=1.00", "gold answer:", "5 finished, 0 failed", "95% interval", "JSON"):
        assert part in out


def test_play_appends_one_complete_transcript_per_line(tmp_path: Path) -> None:
    out = tmp_path / "played.jsonl"
    assert main([*PLAY, "--questions", "20", "--show", "0", "--out", str(out)]) == 0
    first = transcripts_in(out)
    assert len({transcript.question.id for transcript in first}) == 20
    assert all(transcript.decisions[-1].rewards is not None for transcript in first)
    assert main([*PLAY, "--questions", "3", "--show", "0", "--out", str(out)]) == 0
    assert transcripts_in(out)[:20] == first
    assert len(transcripts_in(out)) == 23


def test_a_last_batch_that_is_not_full_asks_for_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[ChatRequest] = []
    answer = SimulatedModel.generate

    def recorded(self: SimulatedModel, requests: Sequence[ChatRequest]) -> list[Completion]:
        asked.extend(requests)
        return answer(self, requests)

    monkeypatch.setattr(SimulatedModel, "generate", recorded)
    assert main([*PLAY, "--questions", "18", "--show", "0"]) == 0
    assert [request.role for request in asked].count("strategy") == 18


def test_play_repeats_itself_for_equal_seeds(tmp_path: Path) -> None:
    def played(seed: str, name: str) -> str:
        out = tmp_path / name
        flags = ["--questions", "5", "--actions", "random", "--bne-rounds", "3"]
        assert main([*PLAY, *flags, "--seed", seed, "--out", str(out)]) == 0
        return out.read_text()

    assert played("1", "a") == played("1", "b")
    assert played("1", "c") != played("2", "d")


def test_play_takes_one_model_per_executor(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--llm", "simulated:2", "simulated:0", "--n-agents", "2", "--questions", "1"]
    assert main([*PLAY[:3], *flags]) == 0
    out = capsys.readouterr().out
    assert "executor_0 (simulated:2)" in out
    assert "executor_1 (simulated:0)" in out


def test_a_data_set_with_fewer_questions_is_played_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "played.jsonl"
    pool = len(load_questions("simulated"))
    flags = ["--questions", str(pool + 5), "--show", "0", "--out", str(out)]
    assert main([*PLAY, *flags]) == 0
    captured = capsys.readouterr()
    assert captured.err.endswith(f"--questions {pool + 5}: the data set has only {pool}\n")
    assert f"{pool} finished" in captured.out
    assert len({transcript.question.id for transcript in transcripts_in(out)}) == pool


def test_a_file_smaller_than_a_batch_is_played_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = load_questions("simulated")
    rows = [{"question": pool[i].text, "answer": pool[i].gold} for i in range(5)]
    file = tmp_path / "five.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    # Any model will do; the simulated one reads these questions, but not from a file.
    monkeypatch.setattr(
        "econ_env.llm.registry.shared_model", lambda name, api: RecordingModel(name)
    )
    out = tmp_path / "played.jsonl"
    assert main(["play", "--dataset", str(file), "--show", "0", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.err.endswith("--questions 20: the data set has only 5\n")
    assert "5 finished, 0 failed" in captured.out
    assert {t.question.text for t in transcripts_in(out)} == {row["question"] for row in rows}


def test_a_known_data_set_is_played_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = load_questions("simulated")
    rows = [{"question": pool[i].text, "answer": f"#### {pool[i].gold}"} for i in range(2)]
    rows.append({"question": "longer " * 100, "answer": "#### 1"})
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(
        "econ_env.llm.registry.shared_model", lambda name, api: RecordingModel(name)
    )
    flags = ["--data-path", str(tmp_path), "--split", "train", "--max-question-length", "500"]
    assert main(["play", "--dataset", "gsm8k", "--show", "0", *flags]) == 0
    assert "2 finished, 0 failed" in capsys.readouterr().out
    assert main(["play", "--dataset", "gsm8k", *flags, "--streaming"]) == 2
    assert "has no use for streaming" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--llm", "gpt-9"], "unknown model 'gpt-9'. Did you mean 'openai:gpt-9'?\n"),
        (["--llm", "Qwen/Some"], "unknown model 'Qwen/Some'. Did you mean 'hf:Qwen/Some'?\n"),
        (["--llm", "bundeled"], "unknown model 'bundeled'. Did you mean 'bundled'?\n"),
        (["--llm", "qwen2.5-coder-0.5"], "Did you mean 'local:qwen2.5-coder-0.5b'?\n"),
        (["--llm", "local:qwen-0.5b"], "Did you mean 'qwen2.5-coder-0.5b'?"),
        (
            ["--llm", "bundled", "--dataset", "gsmk8"],
            "unknown data set 'gsmk8'. Did you mean 'gsm8k'?\n",
        ),
        (["--embedder", "minlm"], "unknown embedder 'minlm'. Did you mean 'minilm'?\n"),
        (["--colour"], "unknown flag --colour: "),
        (["--question", "3"], "unknown flag --question: did you mean --questions?"),
        # Without a key nothing is read or fetched, so the missing file is not reached.
        (["--llm", "together:some/model", "--dataset", "nowhere.jsonl"], "TOGETHER_API_KEY"),
        (["--llm", "together:some/model", "--embedder", "hashing"], "TOGETHER_API_KEY"),
        (["--llm", "ollama:some-model"], "--second-action"),
        (["--max-concurrency", "0"], "--max-concurrency"),
        (["--request-timeout-s", "0"], "--request-timeout-s"),
        (["--llm", "simulated", "simulated"], "lists 2 models for 3 executors"),
        (["--dataset", "nowhere.jsonl", "--llm", "bundled"], "nowhere.jsonl"),
        (["--questions", "0"], "--questions"),
        (["--extra-body", "{"], "--extra-body takes one JSON object"),
        (["--extra-body", "[1]"], "--extra-body takes one JSON object"),
        (["--extra-headers", "novalue"], "take names with values, NAME=VALUE"),
        (["--extra-headers", "Host=x"], "--extra-headers cannot set Host"),
        (["--query", "api_key=x"], "a key in a URL ends up in logs"),
        (["--omit-field", "model"], "--omit-fields cannot leave out model"),
        (["--max-tokens-commit", "0"], "--max-tokens-commit"),
        (["--temperature", "5"], "--temperature"),
        (["--group-size", "1"], "--group-size"),
        (["--dataset", "arithmetic"], "--dataset simulated only"),
        (["--embedder", "word2vec"], "unknown embedder"),
        (["--out", "/no/such/folder/x.jsonl"], "/no/such/folder"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    flags: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    assert main([*PLAY, *flags]) == 2
    err = capsys.readouterr().err
    assert err.startswith("econ-env play: ")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "econ-env: name a command: play, watch, "),
        (["play", "--questions", "many"], "play: --questions: 'many' is not a whole number; econ-"),
        (["play", "--top-p", "high"], "econ-env play: --top-p: 'high' is not a number; econ-env "),
        (["play", "--questions"], "econ-env play: --questions needs a value; econ-env play --help"),
        (["play", "--commitment-rule", "vote"], "--commitment-rule: 'vote' is not one of 'None', "),
        (["ask"], "econ-env ask: QUESTION is missing: The question; econ-env ask --help lists"),
        (["ask", "Two", "sk-secret"], "ask: an argument belongs to no flag or command: put the qu"),
        (["models", "sk-secret"], "models: an argument belongs to no flag or command; econ-env"),
    ],
)
def test_what_the_parser_refuses_is_said_in_one_line(
    argv: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    err = capsys.readouterr().err
    assert line in err
    assert err.count("\n") == 1
    assert "sk-secret" not in err


def test_colours_of_a_terminal_do_not_hide_what_the_parser_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["play", "--questions", "many"]) == 2
    assert "econ-env play: --questions: 'many' is not a whole number;" in capsys.readouterr().err
    red = "\x1b[31m{}\x1b[0m".format
    framed = [
        red("╭─ Value error ─╮"),
        f"{red('│')} Error parsing --n: bad {red('│')}",
        red("╰───╯"),
    ]
    assert objection("\n".join(framed)) == "--n: bad"


def test_help_explains_the_game_and_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["play", "--help"])
    assert exit_info.value.code == 0
    out = capsys.readouterr().out
    for flag in ("--dataset", "--llm", "--questions", "--temperature", "--out", "--seed"):
        assert flag in out
    assert "coordinator plans" in out


def test_ctrl_c_keeps_complete_lines_and_exits_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []
    answer = SimulatedModel.generate

    def interrupted(self: SimulatedModel, requests: Sequence[ChatRequest]) -> list[Completion]:
        calls.append(len(requests))
        # The third batch of strategies, executors' responses and commitments.
        if len(calls) == 13:
            raise KeyboardInterrupt
        return answer(self, requests)

    monkeypatch.setattr(SimulatedModel, "generate", interrupted)
    out = tmp_path / "played.jsonl"
    assert main([*PLAY, "--questions", "64", "--show", "0", "--out", str(out)]) == 130
    assert len(transcripts_in(out)) == 32
    captured = capsys.readouterr()
    assert "32 of 64 questions were played" in captured.err
    assert f"32 appended to {out}" in captured.out


def test_failed_episodes_are_counted_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(self: SimulatedModel, requests: Sequence[ChatRequest]) -> list[Completion]:
        return [Completion.failure("out of order") for _ in requests]

    monkeypatch.setattr(SimulatedModel, "generate", nothing)
    assert main([*PLAY, "--questions", "2", "--show", "1"]) == 1
    out = capsys.readouterr().out
    assert "0 finished, 2 failed" in out
    assert "out of order" in out
    assert "accuracy" not in out


def test_progress_and_results_go_to_different_streams(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    # However slow the machine is.
    monkeypatch.setattr("econ_console.waiting_line.PLAIN_INTERVAL_S", 600.0)
    assert main([*PLAY, "--questions", "2", "--show", "0"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "", "no progress bar where there is no terminal"
    assert captured.out.startswith("questions ")


def test_the_line_of_a_terminal_moves_and_ends_with_what_was_played(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("econ_console.waiting_line.LIVE_INTERVAL_S", 0.01)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    answer = SimulatedModel.generate

    def slow(self: SimulatedModel, requests: Sequence[ChatRequest]) -> list[Completion]:
        time.sleep(0.1)
        return answer(self, requests)

    monkeypatch.setattr(SimulatedModel, "generate", slow)
    assert main([*PLAY, "--questions", "18", "--show", "0"]) == 0
    line = capsys.readouterr().err
    said = ("0/18 [00:00<?], ", "; 16 requests in flight", "16/18 [", " s per question, ")
    places = [line.find(part) for part in said]
    assert -1 not in places
    assert places == sorted(places)
    assert re.fullmatch(r"18/18 \[00:\d\d<00:00\], \S+ s per question", line.splitlines()[-1])


def test_a_game_in_which_nothing_succeeds_stops_and_keeps_what_was_played(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[int] = []

    def nothing(self: SimulatedModel, requests: Sequence[ChatRequest]) -> list[Completion]:
        asked.append(len(requests))
        return [Completion.failure("out of order") for _ in requests]

    monkeypatch.setattr(SimulatedModel, "generate", nothing)
    out = tmp_path / "games.jsonl"
    assert main([*PLAY, "--questions", "100", "--show", "0", "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert "(32 of 32): out of order" in captured.err
    assert "econ-env doctor" in captured.err
    assert "--max-failures-in-a-row" in captured.err
    assert "failed because       32 x out of order" in captured.out
    assert len(out.read_text(encoding="utf-8").splitlines()) == 32
    assert sum(asked) == 32


def test_a_command_that_does_not_exist_is_answered_with_the_nearest_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plya"]) == 2
    assert "there is no such command; did you mean 'play'?" in capsys.readouterr().err


def test_playing_needs_no_large_embedder() -> None:
    server = "vllm:m@http://127.0.0.1:9/v1"
    played = parse(["play", "--llm", server])
    assert isinstance(played, Play)
    assert played.env_config().resolved_embedder() == "hashing"
    named = parse(["play", "--llm", server, "--embedder", "owner/model"])
    assert isinstance(named, Play)
    assert named.env_config().resolved_embedder() == "owner/model"
