"""Every episode that ends is a line of a file, at once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from econ_env import DiscreteActions, EconParallelEnv, RecordEpisodes
from econ_env.game.transcript import Transcript
from tests.support import FlakyModel


def make(**settings: Any) -> EconParallelEnv:
    return EconParallelEnv(**{"dataset": "simulated", "llm": "simulated", **settings})


def recorded(path: Path) -> list[Transcript]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Transcript.from_json(json.loads(line)) for line in lines]


def play(env: Any, action: Any, **options: Any) -> Transcript:
    env.reset(**options)
    while env.agents:
        env.step(dict.fromkeys(env.agents, action))
    transcript: Transcript = env.transcript
    return transcript


def test_a_line_is_the_transcript_of_an_episode(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    env = RecordEpisodes(make(bne_rounds=2), path)
    assert recorded(path) == []
    played = []
    for _ in range(3):
        played.append(play(env, np.zeros(2)))
        assert recorded(path) == played
    again = RecordEpisodes(make(), path)
    played.append(play(again, np.ones(2), seed=5))
    assert recorded(path) == played


def test_an_episode_that_a_reset_cuts_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    env = RecordEpisodes(make(max_rounds=2), path)
    env.reset(seed=0)
    env.step(dict.fromkeys(env.agents, np.zeros(2)))
    env.reset()
    assert recorded(path) == []


def test_a_failed_episode_is_recorded_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    model = FlakyModel(lambda request: request.role == "execute")
    env = RecordEpisodes(make(llm=model, prompts="compact", embedder="hashing"), path)
    play(env, np.zeros(2))
    assert "the test said so" in (recorded(path)[0].failed or "")


def test_it_records_around_and_inside_other_wrappers(tmp_path: Path) -> None:
    outer, inner = tmp_path / "outer.jsonl", tmp_path / "inner.jsonl"
    env = RecordEpisodes(DiscreteActions(RecordEpisodes(make(), inner)), outer)
    played = play(env, 3, seed=1)
    assert recorded(outer) == recorded(inner) == [played]


def test_a_file_that_cannot_be_written_is_an_error_before_the_first_episode(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RecordEpisodes(make(), tmp_path / "missing" / "episodes.jsonl")


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    play(RecordEpisodes(make(), path), np.zeros(2))
    assert path.stat().st_mode & 0o077 == 0
