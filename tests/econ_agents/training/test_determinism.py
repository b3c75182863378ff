"""The results of a run depend on its configuration alone, and on few of its settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.econ_agents.small_runs import assert_same_team, numbers, train

SEVERAL_ROUNDS = (
    "bne.max_iterations_train=3 bne.convergence_threshold=0.05 memory.scope=stream "
    "memory.length=2 "
    "reward.dynamic=true"
).split()
"""Episodes of different lengths, whose memories go on, in an environment that is told weights."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("run"), *SEVERAL_ROUNDS)


@pytest.mark.slow
def test_the_same_configuration_comes_to_the_same(run: Path, tmp_path: Path) -> None:
    again = train(tmp_path, *SEVERAL_ROUNDS)
    assert numbers(again) == numbers(run)
    assert_same_team(again, run)


@pytest.mark.slow
@pytest.mark.parametrize("places", [1, 3, 10])
def test_how_many_questions_are_in_flight_changes_nothing(
    run: Path, tmp_path: Path, places: int
) -> None:
    other = train(tmp_path, *SEVERAL_ROUNDS, f"train.in_flight={places}")
    assert numbers(other) == numbers(run)
    assert_same_team(other, run)


def test_evaluations_and_checkpoints_leave_the_training_as_it_is(run: Path, tmp_path: Path) -> None:
    looks = "train.eval_interval=10 train.eval_episodes=13 train.checkpoint_interval=25".split()
    other = train(tmp_path, *SEVERAL_ROUNDS, *looks)
    lines = [
        {name: value for name, value in line.items() if not name.startswith("eval/")}
        for line in numbers(other)
    ]
    assert lines == numbers(run)
    assert all("eval/team_reward" in line for line in numbers(other))


def test_another_seed_is_another_run(run: Path, tmp_path: Path) -> None:
    other = train(tmp_path, *SEVERAL_ROUNDS, "seed=1")
    for ours, theirs in zip(numbers(run), numbers(other), strict=True):
        assert ours["collection/reward_mean"] != theirs["collection/reward_mean"]
    assert numbers(run)[-1]["train/loss_total"] != numbers(other)[-1]["train/loss_total"]
