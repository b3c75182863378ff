"""The learner on mpe2's simple_spread, an environment from another project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from econ_agents.algorithm.builders import build_teams
from econ_agents.commands.cli import main
from econ_agents.config.schema import Config
from econ_agents.equilibrium.deviations import Search, shift_candidates
from econ_agents.seeds import numpy_generator
from econ_agents.training.trainer import Trainer
from tests.econ_agents.small_runs import assert_same_team, numbers, small_config, state_of, train

SHORT = "env.kwargs.max_cycles=4"
AGAIN = ["--env.factory", "mpe2.simple_spread_v3:parallel_env"]
"""The environment in the user's own words: a checkpoint's are not enough."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("run"), SHORT, preset="mpe_spread")


def config(*assignments: str) -> Config:
    return small_config(SHORT, *assignments, preset="mpe_spread")


def test_it_learns_from_episodes_of_several_steps(run: Path) -> None:
    lines = numbers(run)
    assert [line["step"] for line in lines] == [10, 20, 30, 40]
    for line in lines:
        assert line["collection/steps"] == 4
        assert line["collection/team_reward"] == pytest.approx(line["collection/reward_mean"])
        assert line["counters/failed"] == 0
        assert not {"collection/accuracy", "collection/tokens", "collection/ts"} & line.keys()
    assert {f"collection/action_4/agent_{k}" for k in range(3)} <= lines[-1].keys()
    assert state_of(run)["updates"] == 4
    assert np.isfinite(lines[-1]["train/loss_total"])
    losses = [line["train/loss_commitment_similarity"] for line in lines]
    assert losses == [0.0] * 4


def test_it_is_the_same_run_at_any_number_of_places(run: Path, tmp_path: Path) -> None:
    other = train(tmp_path, SHORT, "train.in_flight=3", preset="mpe_spread")
    assert numbers(other) == numbers(run)
    assert_same_team(other, run)


@pytest.mark.slow
def test_the_log_says_that_the_commitments_loss_is_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    length = "train.episodes=10"
    train(tmp_path / "asked", SHORT, length, "losses.commitment_similarity=1", preset="mpe_spread")
    assert "L_SD is off" in capsys.readouterr().err
    train(tmp_path / "not_asked", SHORT, length, preset="mpe_spread")
    assert "L_SD" not in capsys.readouterr().err


def test_a_time_limit_is_no_end_and_no_failure() -> None:
    """Values beyond it are part of every target: nothing is terminal."""
    settings = config()
    teams = build_teams(settings, "train")
    try:
        trainer = Trainer(settings, teams)
        played = trainer.collect()
        assert not any(episode.terminated or episode.failed for episode in played)
        trainer.learn(played)
        batch = trainer.buffer.sample(200, numpy_generator(0, "test"))
        assert not batch.terminal.any()
    finally:
        teams.close()


def test_it_is_tested_by_its_reward(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model-dir", str(run), "--log-dir", str(tmp_path)]
    assert main(["test", *flags, *AGAIN, "--episodes", "3"]) == 0
    said = capsys.readouterr().out
    assert "Baseline (no BNE): mean team reward -" in said
    assert "P0 BNE" not in said
    assert "traces" not in said


def test_it_is_shown_at_play_in_numbers(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--model-dir", str(run), *AGAIN]
    assert main(["play", *flags, "--questions", "2"]) == 0
    said = capsys.readouterr().out
    assert said.count(" of 2\n=== ") == said.count("  agent_2: ") == 2
    assert "team reward: -" in said
    assert main(["play", *flags, "--question", "Where to?"]) == 2
    assert "takes no questions: leave it out" in capsys.readouterr().err


def test_deviations_from_it_are_measured(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Search(candidates=shift_candidates((0.5,), 5)[:2], refinements=0)
    monkeypatch.setattr("econ_agents.equilibrium.policy_nash_conv.default_search", lambda size: few)
    flags = ["--model-dir", str(run), "--log-dir", str(tmp_path), "--questions", "4"]
    assert main(["nash", *flags, *AGAIN]) == 0
    assert "  agent_2: best deviation gains " in capsys.readouterr().out
