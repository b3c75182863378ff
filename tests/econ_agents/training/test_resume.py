"""A run that was stopped, however it was stopped, goes on to the numbers it would have had."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from econ_agents.commands.cli import main
from econ_agents.config.schema import ConfigError
from econ_agents.rollouts.base import LocalRollouts
from econ_agents.training.checkpoint import CheckpointError
from econ_agents.training.run_folder import claimed
from econ_agents.training.train import resume_training, run_training
from econ_agents.training.trainer import Trainer
from tests.econ_agents.small_runs import (
    assert_same_team,
    checkpoint_path,
    numbers,
    small_config,
    train,
)

pytestmark = pytest.mark.slow  # every test trains, is stopped, and trains on

SETTINGS = (
    "memory.scope=stream memory.length=2 train.eval_interval=20 train.eval_episodes=3".split()
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    return train(tmp_path_factory.mktemp("whole"), *SETTINGS)


@pytest.fixture(autouse=True)
def ctrl_c_raises() -> Iterator[None]:
    """As in a terminal: where the tests run in the background, Ctrl-C may be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def assert_same_run(one: Path, other: Path) -> None:
    assert numbers(one) == numbers(other)
    assert_same_team(one, other)


# Stopped


@pytest.fixture(scope="module")
def stopped(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which commands were interrupted and killed; see the script."""
    folder = tmp_path_factory.mktemp("stopped")
    command = [sys.executable, "-m", "tests.econ_agents.killed_training", str(folder)]
    ended = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["interrupted: 130", "resumed: 0", "killed: 10 times"]
    return folder


@pytest.mark.exhaustive
def test_a_run_killed_at_ten_random_moments_comes_to_the_same(stopped: Path) -> None:
    runs = [path for path in stopped.glob("killed_*") if path.is_dir()]
    assert runs
    for run in runs:
        assert_same_run(run, stopped / "whole")


def test_a_command_that_was_interrupted_says_how_it_goes_on_to_the_same(stopped: Path) -> None:
    run, said = stopped / "interrupted", (stopped / "interrupted.txt").read_text()
    assert f"go on with econ-agents resume --log-dir {run}\n" in said
    assert_same_run(run, stopped / "whole")


def test_a_run_killed_before_its_first_checkpoint_begins_anew(whole: Path, tmp_path: Path) -> None:
    shutil.copy(whole / "config.yaml", tmp_path)
    (tmp_path / "metrics.jsonl").touch()
    assert resume_training(tmp_path) == 0
    assert_same_run(tmp_path, whole)


def test_a_folder_in_which_no_run_had_begun_is_free(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").touch()
    assert_same_run(train(tmp_path, *SETTINGS), whole)


def test_a_run_whose_environment_cannot_be_made_leaves_the_folder_free(
    whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match="no_such_model"):
        run_training(small_config("executor_model=no_such_model"), tmp_path)
    assert_same_run(train(tmp_path, *SETTINGS), whole)


# Interrupted


def press_while_playing(patch: pytest.MonkeyPatch) -> None:
    """In the middle of the third interval, when memories have gone on."""
    calls: list[Any] = []
    play = LocalRollouts.play

    def played(*arguments: Any, **named: Any) -> Any:
        episodes = play(*arguments, **named)
        if named.get("explore"):
            calls.append(arguments)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return episodes

    patch.setattr(LocalRollouts, "play", played)


def press_while_learning(patch: pytest.MonkeyPatch) -> None:
    """In the middle of the third interval's update."""
    learn = Trainer.learn

    def learned(self: Trainer, *arguments: Any) -> Any:
        if self.episodes == 20:
            signal.raise_signal(signal.SIGINT)
        return learn(self, *arguments)

    patch.setattr(Trainer, "learn", learned)


def press_while_evaluating(patch: pytest.MonkeyPatch) -> None:
    """In the middle of the first evaluation."""

    play = LocalRollouts.play

    def played(*arguments: Any, **named: Any) -> Any:
        if not named.get("explore"):
            signal.raise_signal(signal.SIGINT)
        return play(*arguments, **named)

    patch.setattr(LocalRollouts, "play", played)


@pytest.mark.parametrize(
    ("press", "saved"),
    [(press_while_playing, 20), (press_while_learning, 30), (press_while_evaluating, 20)],
)
def test_ctrl_c_at_any_moment_saves_and_is_made_up_for(
    whole: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    press: Any,
    saved: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        press(patch)
        config = small_config(*SETTINGS, "train.checkpoint_interval=1000")
        assert run_training(config, tmp_path) == 130
    assert f"interrupted: saved after {saved} episodes; go on with" in capsys.readouterr().err
    assert checkpoint_path(tmp_path, f"episode_{saved:06d}").is_dir()
    # Twice, because a run may be killed after it went on.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("econ_agents.training.run.save_checkpoint", _dies)
        with pytest.raises(KeyError, match="killed"):
            resume_training(tmp_path)
    assert resume_training(tmp_path) == 0
    assert_same_run(tmp_path, whole)


def _dies(*arguments: Any) -> None:
    raise KeyError("killed")


# At its end


def test_a_finished_run_has_nothing_left_to_do_and_says_so(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(whole, tmp_path / "run")
    assert resume_training(run) == 0
    assert_same_run(run, whole)
    said = capsys.readouterr().err
    assert "this run is trained already" in said
    assert f"econ-agents test --model-dir {run}" in said
    assert "trained 0 episodes" not in said


def test_a_run_that_stopped_early_stays_stopped(tmp_path: Path) -> None:
    stops = "enabled=true min_delta=9 patience=10 warmup=10"
    settings = [f"early_stopping.{each}" for each in stops.split()]
    run = train(tmp_path / "run", *settings)
    before = numbers(run)
    assert [line["step"] for line in before] == [10, 20, 30]
    # Killed after its last interval, before the end was written down.
    shutil.rmtree(checkpoint_path(run))
    assert resume_training(run) == 0
    assert numbers(run) == before
    assert checkpoint_path(run).is_dir()


# Refused


def test_a_second_run_in_a_folder_is_refused(whole: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds a run already: go on with it .* resume"):
        run_training(small_config(), whole)


def test_a_run_does_not_mix_its_checkpoints_with_those_of_another(
    whole: Path, tmp_path: Path
) -> None:
    folder = whole / "checkpoints"
    with pytest.raises(ConfigError, match=r"checkpoints of another run.*--logging\.model-dir"):
        run_training(small_config(f"logging.model_dir={folder}"), tmp_path)
    shutil.copytree(folder, tmp_path / "checkpoints")
    with pytest.raises(ConfigError, match=r"checkpoints of another run.*--log-dir"):
        run_training(small_config(), tmp_path)


def test_only_one_process_works_on_a_run(whole: Path, tmp_path: Path) -> None:
    run = shutil.copytree(whole, tmp_path / "run")
    with claimed(run), pytest.raises(ConfigError, match="another process works on the run"):
        resume_training(run)
    assert resume_training(run) == 0


def test_a_folder_without_a_run_cannot_go_on(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no run to resume.*config\.yaml"):
        resume_training(tmp_path)


@pytest.mark.parametrize("file", ["networks.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_offered(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    run = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(checkpoint_path(run))
    damaged, sound = (checkpoint_path(run, f"episode_{k:06d}") for k in (40, 30))
    content = (damaged / file).read_bytes()
    (damaged / file).write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    with pytest.raises(CheckpointError) as caught:
        resume_training(run)
    assert str(damaged / file) in str(caught.value)
    assert f"latest intact checkpoint in this folder: {sound}" in str(caught.value)
    assert main(["resume", "--log-dir", str(run)]) == 2
    assert str(sound) in capsys.readouterr().err
    shutil.rmtree(damaged)
    shutil.rmtree(checkpoint_path(run, "best"))  # of the same moment
    assert resume_training(run) == 0
    assert numbers(run) == numbers(whole)
    assert_same_team(run, whole)


def test_a_team_of_another_shape_is_refused_by_the_setting(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model-dir", str(whole), "--log-dir", str(whole / "test")]
    assert main(["test", *flags, "--network.hidden", "8"]) == 2
    assert "network.hidden was 4 and is 8" in capsys.readouterr().err
