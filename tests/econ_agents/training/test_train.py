"""Training runs besides learning: dropped episodes, the end of training, and files left behind."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from econ_agents.algorithm.losses import global_td_loss
from econ_agents.algorithm.policy import NonFiniteAction
from econ_agents.algorithm.reward_weighting import COMPONENTS
from econ_agents.commands.cli import main
from econ_agents.config.files import read_config, write_config
from econ_agents.config.schema import ConfigError
from econ_agents.evaluation.evaluate import evaluate_team
from econ_agents.training.checkpoint import load_checkpoint
from econ_agents.training.run import BAD_BATCH, FAILURES, TrainingStopped
from econ_agents.training.train import resume_training, run_training
from econ_env import ModelError
from tests.econ_agents.odd_environments import WEIGHTS
from tests.econ_agents.small_runs import checkpoint_path, numbers, small_config, state_of, train

FLAKY = (
    "env.factory=tests.econ_agents.odd_environments:flaky executor_model=null "
    "env_args.hf_dataset_path=null env_args.dataset_split=null"
).split()


# What it leaves


@pytest.mark.slow
def test_a_run_leaves_its_settings_metrics_checkpoints_curves_and_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_dir = tmp_path / "run"
    shown = "logging.plots=true logging.tensorboard=true logging.progress=true".split()
    train(log_dir, *shown, "train.keep_checkpoints=2", "train.episodes=35")
    assert read_config(str(log_dir / "config.yaml")) == small_config(
        *shown, "train.keep_checkpoints=2", "train.episodes=35"
    )
    names = sorted(path.name for path in (log_dir / "checkpoints").iterdir())
    assert names == ["episode_000020", "episode_000030", "final"]
    assert [line["step"] for line in numbers(log_dir)] == [10, 20, 30, 35]
    assert (log_dir / "plots" / "rewards.png").is_file()
    assert list((log_dir / "tensorboard").iterdir())
    said = capsys.readouterr().err
    assert "trained 35 episodes in " in said
    assert f"checkpoint {checkpoint_path(log_dir)}; plots rewards.png" in said


def test_the_progress_says_what_takes_long_between_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("econ_agents.logging.progress.FIRST_LINE_S", 0.0)
    monkeypatch.setattr("econ_agents.logging.progress.PLAIN_INTERVAL_S", 0.0)
    looks = "train.eval_interval=10 train.nash_interval=10 train.nash_questions=4".split()
    train(tmp_path, *looks, "train.episodes=10", "logging.progress=true")
    said = capsys.readouterr().err
    assert re.search(r"0/10, evaluating on \d+ questions\n", said)
    assert re.search(r"0/10, measuring NashConv, play 1 of at most \d+\n", said)


def test_metrics_say_what_was_played_and_learned(tmp_path: Path) -> None:
    first, *_, last = numbers(train(tmp_path))
    for name in "team_reward reward_mean accuracy ts al cc tokens".split():
        assert last[f"collection/{name}"] >= 0
    assert 0.0 <= last["collection/temperature/executor_0"] <= 2.0
    assert 0.8 <= last["collection/repetition_penalty/executor_2"] <= 1.5
    assert "collection/exploration_std" not in first  # uniform actions have none
    losses = "local_td global_td consistency commitment_similarity encoder policy equilibrium"
    for name in f"{losses} commitment_improvement action_regulariser total".split():
        assert np.isfinite(last[f"train/loss_{name}"])
    assert (last["counters/episodes"], last["counters/updates"]) == (40, 4)


# Failed episodes


@pytest.mark.slow
def test_failed_episodes_are_dropped_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path, *FLAKY, "env.kwargs.share=0.05")
    failed = int(numbers(tmp_path)[-1]["counters/failed"])
    assert 0 < failed < 40
    assert f"{failed} of them failed and were dropped" in capsys.readouterr().err
    buffer = load_checkpoint(checkpoint_path(tmp_path)).arrays["buffer"]
    assert not buffer["failed"].any()
    assert len(buffer["failed"]) == min(40 - failed, small_config().train.replay_size)
    assert set(buffer["number"].tolist()) < set(range(40))


@pytest.mark.slow
def test_the_run_folder_holds_the_failures_by_cause_also_after_a_resume(tmp_path: Path) -> None:
    run = train(tmp_path, *FLAKY, "env.kwargs.share=0.05", "train.keep_checkpoints=9")
    whole = json.loads((run / FAILURES).read_text())
    assert whole["failed"] == sum(cause["episodes"] for cause in whole["causes"]) > 0
    assert all(cause["cause"] for cause in whole["causes"])
    assert whole["ended_by"] is None
    for name in ("final", "episode_000040", "episode_000030"):
        shutil.rmtree(checkpoint_path(run, name))
    before = state_of(run, "episode_000020")
    assert sum(before["failures"].values()) == before["failed"] > 0
    assert resume_training(run, factory="tests.econ_agents.odd_environments:flaky") == 0
    assert json.loads((run / FAILURES).read_text()) == whole


@pytest.mark.slow
def test_a_run_in_which_nothing_succeeds_keeps_the_reason_and_names_the_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [*FLAKY, "env.kwargs.share=1.0", "env.kwargs.max_failures_in_a_row=5"]
    config = tmp_path / "flaky.yaml"
    write_config(small_config(*settings), config)
    run = tmp_path / "run"
    assert main(["train", "--config", str(config), "--log-dir", str(run)]) == 1
    assert "The limit is --env.kwargs.max_failures_in_a_row." in capsys.readouterr().err
    assert "The commonest failure" in json.loads((run / FAILURES).read_text())["ended_by"]


@pytest.mark.slow
def test_training_goes_on_where_everything_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = "train.eval_interval=20 train.nash_interval=40 train.nash_questions=4".split()
    train(
        tmp_path,
        *FLAKY,
        "env.kwargs.share=1.0",
        "env.kwargs.max_failures_in_a_row=null",
        "n_agents=1",
        *looks,
    )
    assert (
        "NashConv was not measured: 4 of 4 questions came to no result" in capsys.readouterr().err
    )
    lines = numbers(tmp_path)
    assert [line["counters/failed"] for line in lines] == [10, 20, 30, 40]
    assert not any(name.endswith("reward") for line in lines for name in line)
    assert lines[-1]["counters/updates"] == 0


@pytest.mark.slow
def test_an_untested_team_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path, *FLAKY, "env.kwargs.share=1.0", "env.kwargs.max_failures_in_a_row=null")
    again = ["--env.factory", "tests.econ_agents.odd_environments:flaky"]
    assert main(["test", "--model-dir", str(tmp_path), "--episodes", "3", *again]) == 1
    assert "0 of 3 episodes came to a result" in capsys.readouterr().err


def test_a_run_of_five_episodes_learns(tmp_path: Path) -> None:
    train(tmp_path, "train.episodes=5", "train.warmup_episodes=16", "train.batch_size=16")
    [line] = numbers(tmp_path)
    assert (line["counters/episodes"], line["counters/updates"]) == (5, 1)
    assert np.isfinite(line["train/loss_total"])


@pytest.mark.slow
def test_a_run_that_never_learned_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(
        tmp_path,
        *FLAKY,
        "env.kwargs.share=1.0",
        "env.kwargs.max_failures_in_a_row=null",
        "n_agents=1",
    )
    said = capsys.readouterr().err
    assert "nothing was learned: warm-up is 10 episodes, and after 40 episodes, of which 40" in said


# What cannot go on


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_training_and_keeps_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[Any] = []

    def spoiled(*arguments: Any) -> torch.Tensor:
        calls.append(arguments)
        return global_td_loss(*arguments) * (float("inf") if len(calls) == 3 else 1.0)

    monkeypatch.setattr("econ_agents.algorithm.losses.global_td_loss", spoiled)
    with pytest.raises(TrainingStopped, match=r"'global_td' is inf after 2 updates.*bad_batch"):
        run_training(small_config(), tmp_path)
    batch = load_file(tmp_path / BAD_BATCH)
    assert batch["now.moments"].shape[:2] == batch["actions"].shape[:2] == (3, 4)
    assert {"now.known", "then.moments", "rewards", "team_rewards", "components"} <= batch.keys()
    assert {"states", "next_states", "terminal"} <= batch.keys()
    monkeypatch.undo()
    # The networks were not touched by it: from the last checkpoint on, the run is as any other.
    assert resume_training(tmp_path) == 0
    assert numbers(tmp_path) == numbers(train(tmp_path / "whole"))


@pytest.mark.slow
def test_the_command_says_why_training_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "econ_agents.algorithm.losses.global_td_loss", lambda *_: torch.tensor(torch.nan)
    )
    settings = [f"--set={each}" for each in ("train.warmup_episodes=0", "logging.progress=false")]
    command = ["train", "--config", "simulated", *settings, "--log-dir", str(tmp_path)]
    assert main([*command, "--train.batch-size", "2", "--belief-dim", "4"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("econ-agents train: the loss 'global_td' is nan")
    assert "train.learning_rate" in said


def test_networks_that_give_no_actions_are_explained(tmp_path: Path) -> None:
    huge = "train.learning_rate=1e30 train.mixer_learning_rate=1e30".split()
    with pytest.raises((NonFiniteAction, TrainingStopped), match=r"train\.learning_rate"):
        run_training(small_config(*huge), tmp_path)


# When it ends


STALLS = "enabled=true min_delta=9"
HOLDS = "enabled=true commitment_threshold=9 loss_threshold=9"


def stopping(settings: str) -> list[str]:
    return [f"early_stopping.{each}" for each in settings.split()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "episodes", "why"),
    [
        (f"{STALLS} patience=20 warmup=0", 30, "reward_per_decision has not grown"),
        (f"{STALLS} metric=accuracy patience=20 warmup=0", 30, "accuracy has not grown"),
        (
            f"{HOLDS} reward_threshold=-9 patience=20 warmup=0",
            30,
            "the commitments on the probe questions moved by at most 9",
        ),
        (f"{HOLDS} reward_threshold=9 patience=20 warmup=0", 40, ""),
        (f"{STALLS} patience=20 warmup=30", 40, ""),
    ],
)
def test_training_stops_early_and_saves_the_final_team(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: str, episodes: int, why: str
) -> None:
    train(tmp_path, "train.warmup_episodes=0", *stopping(settings))
    assert state_of(tmp_path)["episodes"] == episodes == numbers(tmp_path)[-1]["step"]
    said = capsys.readouterr().err
    assert (f"stopped early after {episodes} episodes: " in said) == bool(why)
    assert why in said


@pytest.mark.exhaustive
@pytest.mark.slow
def test_what_early_stopping_compared_is_logged_and_plotted(tmp_path: Path) -> None:
    criteria = stopping(f"{HOLDS} reward_threshold=9 probe_questions=3")
    train(tmp_path, "train.warmup_episodes=0", "logging.plots=true", *criteria)
    first, *later = numbers(tmp_path)
    assert "stopping/reward_per_decision" in first
    assert "stopping/commitment_change" not in first
    for line in later:
        assert line["stopping/loss_change"] >= 0
        assert 0 <= line["stopping/commitment_change"] <= 2
        assert 0 <= line["stopping/reward_per_decision"] <= 1
    assert (tmp_path / "plots" / "stopping.png").is_file()


def test_probing_changes_nothing_in_the_run(tmp_path: Path) -> None:
    probed = train(tmp_path / "probed", *stopping(f"{HOLDS} reward_threshold=9"))
    plain = train(tmp_path / "plain")
    without = [
        {name: value for name, value in line.items() if not name.startswith("stopping/")}
        for line in numbers(probed)
    ]
    assert without == numbers(plain)


def test_a_run_too_short_for_its_early_stopping_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path / "short", *stopping("enabled=true patience=30 warmup=20"))
    said = capsys.readouterr().err
    assert "early stopping cannot end this run of 40 episodes" in said
    assert "needs 60 episodes at least" in said
    train(tmp_path / "long", *stopping("enabled=true patience=5 warmup=10 min_delta=0"))
    assert "cannot end this run" not in capsys.readouterr().err


def test_an_unknown_metric_of_early_stopping_is_refused_after_the_first_episodes(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match=r"'acuracy', but the metrics .* accuracy"):
        run_training(small_config(*stopping("enabled=true metric=acuracy")), tmp_path)


@pytest.mark.slow
def test_the_best_team_of_all_evaluations_is_saved(tmp_path: Path) -> None:
    updates = ["train.updates_per_interval=15", "train.learning_rate=0.05"]
    train(tmp_path, "train.eval_interval=10", "train.eval_episodes=20", *updates)
    rewards = {line["step"]: line["eval/team_reward"] for line in numbers(tmp_path)}
    assert list(rewards) == [10, 20, 30, 40]
    assert len(set(rewards.values())) > 1
    best = state_of(tmp_path, "best")
    assert rewards[best["episodes"]] == max(rewards.values()) == best["best"]


def test_the_last_interval_is_shorter_and_evaluates_what_is_due_only(tmp_path: Path) -> None:
    train(tmp_path, "train.episodes=25", "train.eval_interval=20", "train.eval_episodes=2")
    evaluated = [line["step"] for line in numbers(tmp_path) if "eval/team_reward" in line]
    assert evaluated == [20]
    assert numbers(tmp_path)[-1]["step"] == 25


@pytest.mark.parametrize("is_new", [True, False])
def test_a_refused_run_leaves_no_folder_of_its_own(tmp_path: Path, is_new: bool) -> None:
    folder = tmp_path / "run"
    if not is_new:
        folder.mkdir()
    with pytest.raises(ModelError, match="gpt-9"):
        run_training(small_config("executor_model=gpt-9"), folder)
    assert folder.exists() is not is_new


# Weights of the reward


@pytest.fixture
def told() -> Callable[[], list[Any]]:
    """Weights that environments were told since the call before."""

    def take() -> list[Any]:
        taken = WEIGHTS.copy()
        WEIGHTS.clear()
        return taken

    take()
    return take


def test_learned_weights_reach_the_environment_in_training_and_test(
    tmp_path: Path, told: Callable[[], list[Any]]
) -> None:
    dynamic = "reward.dynamic=true reward.eta_alpha=5 test.episodes=3".split()
    factory = "env.factory=tests.econ_agents.odd_environments:attentive"
    train(tmp_path, *dynamic, factory)
    first, second, third, fourth = told()
    # Nothing is learned in the warm-up, and then before the second and each later interval.
    assert first == pytest.approx({"ts": 0.4, "al": 0.4, "cc": 0.2})
    lines = numbers(tmp_path)
    for line, weights in zip(lines, (second, third, fourth), strict=False):
        assert weights == {name: line[f"train/alpha_{name}"] for name in COMPONENTS}
        assert sum(weights.values()) == pytest.approx(1)
        assert weights["ts"] >= 0.3
    assert second != third != fourth
    evaluate_team(small_config(*dynamic, factory), checkpoint_path(tmp_path))
    last = {name: lines[-1][f"train/alpha_{name}"] for name in COMPONENTS}
    assert last != fourth
    # Without refinement, by the untrained team, and with refinement.
    assert told() == [last] * 3


def test_fixed_weights_are_left_to_the_environment(
    tmp_path: Path, told: Callable[[], list[Any]]
) -> None:
    train(tmp_path, "env.factory=tests.econ_agents.odd_environments:attentive")
    assert told() == [None] * 4


# What cannot begin


def test_the_papers_criteria_need_commitments(tmp_path: Path) -> None:
    criteria = "enabled=true commitment_threshold=0.1 loss_threshold=0.1 reward_threshold=0.1"
    thresholds = stopping(criteria)
    with pytest.raises(ConfigError, match=r"early_stopping\.commitment_threshold is for env"):
        run_training(small_config(*thresholds, preset="mpe_spread"), tmp_path)
    assert not (tmp_path / "config.yaml").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["--env.factory", "econ_env:no_such_thing"], "no_such_thing"),
        (["--env.factory", "no_such_package:env"], "no_such_package"),
        (["--executor-model", "no_such_model"], "no_such_model"),
        (["--set", "env.kwargs.no_such_argument=1"], "no_such_argument"),
    ],
)
def test_an_environment_that_cannot_be_made_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: list[str], message: str
) -> None:
    assert main(["train", "--config", "simulated", *settings, "--log-dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("econ-agents train: ")
    assert message in said


def test_a_configuration_that_cannot_be_read_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("train: [", encoding="utf-8")
    assert main(["resume", "--log-dir", str(tmp_path)]) == 2
    assert str(tmp_path / "config.yaml") in capsys.readouterr().err
