"""The team that ships with the package plays, offline and reproducibly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import econ_env
from econ_env.commands.cli import main

pytestmark = pytest.mark.slow


def play(num_questions: int, seed: int) -> list[Any]:
    """One episode of each question with the default settings, as transcripts."""
    env = econ_env.batched_parallel_env(num_questions, bne_rounds=2)
    env.reset(seed=seed)
    for point in (0.0, 0.5):
        if env.agents:
            points = np.full((num_questions, 2), point)
            env.step(dict.fromkeys(env.possible_agents, points))
    return env.transcripts


@pytest.mark.exhaustive
def test_three_different_models_answer_and_a_fourth_coordinates() -> None:
    env = econ_env.parallel_env()
    env.reset(seed=0)
    observations, rewards, terminations, truncations, _ = env.step(
        dict.fromkeys(env.possible_agents, np.zeros(2))
    )
    round_ = env.transcript.decisions[0].rounds[0]
    assert [executor.model for executor in round_.executors] == [f"bundled:{i}" for i in range(3)]
    assert env.transcript.strategies[0].model == "bundled:coordinator"
    assert env.transcript.commitment_rule == "guarded"
    assert all(terminations.values())
    assert not any(truncations.values())
    for agent, observation in observations.items():
        assert env.observation_space(agent).contains(observation)
        assert 0 <= rewards[agent] <= 1


@pytest.mark.exhaustive
def test_a_question_is_played_the_same_in_any_batch_and_again() -> None:
    together = play(3, seed=4)
    assert play(3, seed=4) == together
    alone = [play(1, seed=4 + row)[0] for row in range(3)]
    for one, other in zip(alone, together, strict=True):
        # What was computed is the same; what was shared with neighbours may differ.
        assert one.strategies[0].text == other.strategies[0].text
        assert [r.executors[0].text for r in one.rounds()] == [
            r.executors[0].text for r in other.rounds()
        ]
        assert [r.commitments[-1].value for r in one.rounds()] == [
            r.commitments[-1].value for r in other.rounds()
        ]
        assert [d.rewards for d in one.decisions] == [d.rewards for d in other.decisions]


def test_the_command_without_flags_plays_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "--questions", "2", "--show", "1"]) == 0
    out = capsys.readouterr().out
    assert "2 finished, 0 failed" in out
    assert "bundled:1" in out


def test_the_same_game_plays_rows_of_gsm8k_from_a_file(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = str(data_dir / "gsm8k" / "test.jsonl")
    assert main(["play", "--dataset", rows, "--questions", "4", "--show", "1"]) == 0
    out = capsys.readouterr().out
    assert "4 finished, 0 failed" in out
    assert "gold answer:" in out
