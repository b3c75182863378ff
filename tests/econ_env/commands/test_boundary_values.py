"""Values at the boundary: each is refused in one line, with the flag that was typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparison.command import main as compare
from econ_env import EnvConfig, batched_parallel_env, parallel_env
from econ_env.commands.cli import main
from econ_env.commands.flags import with_flags

PLAY = ["play", "--dataset", "simulated", "--llm", "simulated", "--show", "0", "--questions", "1"]


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--temperature", "nan"),
        ("--repetition-penalty", "inf"),
        ("--seed", "-1"),
        ("--show", "-1"),
        ("--questions", "0"),
        ("--top-p", "nan"),
        ("--temperature-max", "nan"),
        ("--request-timeout-s", "nan"),
        ("--convergence-threshold", "nan"),
        ("--n-agents", "0"),
        ("--max-cost-usd", "nan"),
        ("--max-failures-in-a-row", "0"),
        ("--cache-path", "kept.sqlite"),
    ],
)
def test_a_wrong_value_is_refused_in_the_words_of_the_command_line(
    flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PLAY, flag, value]) == 2
    error = capsys.readouterr().err
    assert error.startswith("econ-env play: ")
    assert flag in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("flag", "value"), [("--seeds", "-1"), ("--seed", "-1"), ("--top-p", "2"), ("--in-flight", "0")]
)
def test_a_comparison_names_the_flag_as_well(
    flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare([flag, value]) == 2
    assert f"compare.py: {flag} must be" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("top_p must be in (0, 1], got 2", "--top-p must be in (0, 1], got 2"),
        ('set cache="replay" or loop=False', "set --cache replay or --no-loop"),
        ("seed must be >= 0", "--seed must be >= 0"),
        ("the cache has no seed of that order", "the cache has no seed of that order"),
        ("/data_path/rows.jsonl: no such file", "/data_path/rows.jsonl: no such file"),
    ],
)
def test_settings_in_messages_become_flags(message: str, said: str) -> None:
    assert with_flags(message) == said


@pytest.mark.parametrize(
    "settings",
    [
        {"top_p": "abc"},
        {"n_agents": "3"},
        {"seed": True},
        {"loop": "yes"},
        {"split": 3},
        {"temperature_min": None},
        {"embedder": 3},
    ],
)
def test_a_setting_of_another_type_is_named(settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(ValueError, match=rf"^{name} must be"):
        EnvConfig(**settings)


@pytest.mark.parametrize("seed", ["a", -1, 1.5, ["a"], [-1], b"1"])
def test_a_reset_refuses_a_seed_that_is_none(seed: Any) -> None:
    env = batched_parallel_env(1, dataset="simulated", llm="simulated")
    with pytest.raises(ValueError, match=r"^seed must be a whole number >= 0"):
        env.reset(seed=seed)


def test_the_parallel_environment_refuses_such_a_seed_too() -> None:
    with pytest.raises(ValueError, match=r"^seed must be a whole number >= 0"):
        parallel_env(dataset="simulated", llm="simulated").reset(seed="a")  # type: ignore[arg-type]


def test_transcripts_are_not_appended_to_a_file_of_another_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"question": "mine"}\n')
    for out in (notes, tmp_path, tmp_path / "none" / "games.jsonl"):
        assert main([*PLAY, "--out", str(out)]) == 2
        assert f"--out {out}" in capsys.readouterr().err
    assert notes.read_text() == '{"question": "mine"}\n'


def test_transcripts_are_appended_to_a_file_of_transcripts(tmp_path: Path) -> None:
    out = tmp_path / "games.jsonl"
    out.touch()
    for count in (1, 2):
        assert main([*PLAY, "--out", str(out)]) == 0
        assert len(out.read_text(encoding="utf-8").splitlines()) == count


def test_a_tilde_in_a_path_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "rows.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    assert main([*PLAY, "--out=~/games.jsonl"]) == 0
    assert (tmp_path / "games.jsonl").is_file()
    assert main(["validate", "~/rows.jsonl"]) == 0


def test_more_questions_than_the_data_set_has_are_played_once_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = len(batched_parallel_env(1, dataset="simulated", llm="simulated").questions)
    assert main([*PLAY, "--questions", str(pool + 5)]) == 0
    captured = capsys.readouterr()
    assert captured.err.endswith(f"--questions {pool + 5}: the data set has only {pool}\n")
    assert f"{pool} finished" in captured.out
