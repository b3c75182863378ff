"""Tests of recordings of a comparison: equal tables without a model, and no question inside."""

from __future__ import annotations

import json
import lzma
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparison import output
from benchmarks.comparison.command import main as compare
from benchmarks.replay import differences, main
from econ_agents.config.files import read_config
from econ_agents.training.train import run_training

FLAGS = """\
dataset: simulated
llm: simulated
questions: 6
in_flight: 2
temperature_min: 0
sampling_digits: 3
methods: [greedy, "econ_fixed:temperature=0.6", "first_round_vote:of=econ_fixed:temperature=0.6"]
"""


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with a configuration, its comparison and its packed recording."""
    monkeypatch.setattr(output, "draw", lambda comparison, folder: [])
    config, cache = tmp_path / "config.yaml", tmp_path / "completions.sqlite"
    config.write_text(FLAGS)
    flags = ["--config", str(config), "--log-dir", str(tmp_path / "log")]
    assert compare([*flags, "--cache", "read_write", "--cache-path", str(cache)]) == 0
    assert main(["pack", str(cache), str(tmp_path / "recording.sqlite.xz")]) == 0
    return tmp_path


def play(folder: Path, expect: Path | None = None) -> int:
    flags = ["--config", str(folder / "config.yaml")]
    expect = folder / "log" / "comparison.json" if expect is None else expect
    return main(["play", str(folder / "recording.sqlite.xz"), *flags, "--expect", str(expect)])


def test_a_recording_repeats_the_comparison_to_the_last_digit(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play(recorded) == 0
    assert "equal to" in capsys.readouterr().out


def test_a_figure_that_differs_is_told_and_fails(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = json.loads((recorded / "log" / "comparison.json").read_text())
    result["methods"][1]["spending"]["tokens"] += 1
    changed = recorded / "changed.json"
    changed.write_text(json.dumps(result))
    assert play(recorded, changed) == 1
    assert "methods[1].spending.tokens" in capsys.readouterr().err


def test_durations_may_differ() -> None:
    assert differences({"wall_s": 1.0, "a": [1]}, {"wall_s": 2.0, "a": [1]}) == []
    assert differences({"a": [1, 2]}, {"a": [1]}) == ["a: [1, 2] there, [1] now"]


def test_a_recording_holds_no_request(recorded: Path) -> None:
    plain = recorded / "plain.sqlite"
    plain.write_bytes(lzma.decompress((recorded / "recording.sqlite.xz").read_bytes()))
    connection = sqlite3.connect(plain)
    assert connection.execute("SELECT DISTINCT request FROM completions").fetchall() == [("",)]
    assert connection.execute("SELECT count(*) FROM completions").fetchone()[0] > 0
    connection.close()


def test_a_kept_team_plays_as_its_run_does_and_names_no_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, kept = tmp_path / "run", tmp_path / "teams" / "seed_0"
    short = ["train.episodes=40", "train.warmup_episodes=20", "update_interval=20"]
    short += [f"env.kwargs.cache_path={tmp_path}/c.sqlite", "env.kwargs.cache=read_write"]
    config = read_config("simulated", short)
    run_training(config, run)
    assert main(["team", str(run), str(kept)]) == 0
    assert {file.name for file in kept.iterdir()} == {
        "networks.safetensors",
        "weighting.safetensors",
        "state.json",
    }
    assert str(tmp_path) not in (kept / "state.json").read_text()
    capsys.readouterr()
    for folder, said in ((kept, "exists already"), (tmp_path / "teams" / "seed-1", "letters")):
        assert main(["team", str(run), str(folder)]) == 2
        assert said in capsys.readouterr().err
    assert [each.name for each in kept.parent.iterdir()] == ["seed_0"]

    def played(team: Path, name: str) -> list[dict[str, Any]]:
        flags = ["--model-dir", str(team), "--methods", "econ", "--questions", "5"]
        assert compare([*flags, "--log-dir", str(tmp_path / name)]) == 0
        lines = (tmp_path / name / "records.jsonl").read_text().splitlines()
        return [json.loads(line) | {"wall_s": 0} for line in lines]

    assert played(kept, "kept") == played(run, "run")


@pytest.mark.parametrize("content", [b"", b"not a recording", lzma.compress(b"not a cache")])
def test_another_file_is_refused_in_words(
    recorded: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (recorded / "recording.sqlite.xz").write_bytes(content)
    capsys.readouterr()
    assert play(recorded) in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith(("compare.py: ", "benchmarks.replay: "))
    assert "Traceback" not in said
    assert "recording" in said or "damaged" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pack", "{folder}/config.yaml", "{folder}/other.xz"], "is not a cache of completions"),
        (["rows", "arithmetic", "--out", "{folder}"], "'arithmetic' is no public data set"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(
    recorded: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main([argument.format(folder=recorded) for argument in arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_result_that_cannot_be_read_is_told(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert play(recorded, recorded / "config.yaml") == 2
    assert "cannot be read as the result of a comparison" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "gsm8k_1.5b",
        "gsm8k_1.5b_casting_vote",
        "gsm8k_mixed_casting_vote",
        "gsm8k_0.5b",
        "gsm8k_0.5b_casting_vote",
        "gsm8k_0.5b_trained",
        "svamp_1.5b",
        "svamp_1.5b_trained",
        "math500_1.5b",
        "math500_1.5b_trained",
    ],
)
def test_the_committed_recording_repeats_the_committed_table(
    name: str, repository: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(output, "draw", lambda comparison, folder: [])
    # Nothing is asked of a model, so none needs to be there.
    monkeypatch.setenv("ECON_MODELS", str(tmp_path))
    benchmarks = repository / "benchmarks"
    code = main(
        [
            *("play", str(benchmarks / "recordings" / f"{name}.sqlite.xz")),
            *("--config", str(benchmarks / "configs" / f"{name}.yaml")),
            *("--expect", str(benchmarks / "results" / f"{name}.json")),
            *("--data-path", str(data_dir / name.partition("_")[0])),
        ]
    )
    assert code == 0
