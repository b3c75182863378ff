"""``econ-env play`` with a cache and a budget: what it prints, keeps and returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from econ_env.commands.cli import main

PLAY = ["play", "--dataset", "simulated", "--llm", "simulated", "--show", "0"]


def flags(tmp_path: Path, cache: str) -> list[str]:
    return [*PLAY, "--cache", cache, "--cache-path", str(tmp_path / "cache.sqlite")]


def test_a_replay_prints_and_writes_what_was_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = []
    for index, cache in enumerate(("read_write", "replay")):
        out = tmp_path / f"{index}.jsonl"
        run = [*flags(tmp_path, cache), "--questions", "5", "--out", str(out)]
        assert main(run) == 0
        written.append(out.read_bytes())
    assert written[0] == written[1]
    printed = capsys.readouterr().out.splitlines()
    asked = [line for line in printed if line.startswith("asked now")]
    kept = [line for line in printed if line.startswith("from the cache")]
    assert asked[1].split() == "asked now 0 requests, 0 tokens".split()
    assert kept[1].split()[3:] == asked[0].split()[2:]


def test_without_a_cache_or_a_budget_nothing_is_said_of_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*PLAY, "--questions", "1"]) == 0
    out = capsys.readouterr().out
    assert "asked now" not in out
    assert "cache" not in out


def test_a_budget_ends_play_with_what_was_played_and_a_higher_one_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "played.jsonl"
    run = [*flags(tmp_path, "read_write"), "--questions", "40", "--out", str(out)]
    assert main([*run, "--max-requests", "100"]) == 1
    captured = capsys.readouterr()
    assert "16 finished" in captured.out
    assert "asked now            100 requests" in captured.out
    assert captured.err.startswith("econ-env play: --max-requests 100 does not allow")
    assert "Traceback" not in captured.err
    assert len(out.read_text().splitlines()) == 16
    assert main([*run, "--max-requests", "150"]) == 0
    assert "from the cache       100 requests" in capsys.readouterr().out
    questions = [json.loads(line)["question"]["id"] for line in out.read_text().splitlines()]
    assert questions[:16] == questions[16:32]
    assert len(questions) == 16 + 40


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--cache", "replay", "--cache-path", "/no/such/cache"], "/no/such/cache"),
        (["--cache-path", "somewhere"], "keeps nothing"),
        (["--max-requests", "0"], "--max-requests must"),
        (["--prices", "simulated:0"], "--prices takes a model"),
        (["--price", "simulated:0=1,2,3"], "--prices takes a model"),
        (["--prices", "simulated:0=1,-2"], "prices['simulated:0']"),
        (
            ["--max-cost-usd", "1", "--llm", "vllm:m@http://127.0.0.1:1/v1", "--dataset", "svamp"],
            "the price of 'vllm:m@http://127.0.0.1:1/v1' is not known",
        ),
    ],
    ids=str,
)
def test_a_mistake_is_one_message_and_exit_code_2(
    extra: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PLAY, *extra]) == 2
    err = capsys.readouterr().err
    assert err.startswith("econ-env play: ")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (["--max-requests", "2"], "--max-requests 2 does not allow"),
        (["--max-total-tokens", "5"], "--max-total-tokens 5 does not allow"),
    ],
    ids=str,
)
def test_a_budget_too_small_for_one_question_is_one_message_and_exit_code_1(
    limit: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PLAY, *limit]) == 1
    err = capsys.readouterr().err
    assert err.startswith("econ-env play: ")
    assert message in err
    assert "Traceback" not in err


def test_a_cost_limit_is_counted_with_the_price_of_a_flag(
    capsys: pytest.CaptureFixture[str],
) -> None:
    prices = [f"simulated:{name}=1000,1000" for name in (0, 1, 2, "coordinator")]
    run = [*PLAY, "--questions", "40", "--max-cost-usd", "6", "--prices", *prices]
    assert main(run) == 1
    captured = capsys.readouterr()
    assert "--max-cost-usd 6.0 does not allow" in captured.err
    assert "may cost up to $" in captured.err
    line = next(line for line in captured.out.splitlines() if line.startswith("asked now"))
    assert 5 < float(line.split("$")[1]) <= 6
