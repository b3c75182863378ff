"""The training loop: an interval is played, learned from and reported, and nothing else lasts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from econ_agents.algorithm.builders import build_teams
from econ_agents.config.schema import (
    Config,
    EnvArgs,
    MemorySettings,
    NetworkSettings,
    RewardSettings,
    TrainSettings,
)
from econ_agents.environments import Moment, Teams
from econ_agents.rollouts.base import LocalRollouts
from econ_agents.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from econ_agents.training.trainer import Trainer
from tests.econ_agents.builders import same_episodes, toy_teams


def a_config(**changes: Any) -> Config:
    """The simulated team, with small networks."""
    return Config(
        env_args=EnvArgs(hf_dataset_path="simulated"),
        executor_model="simulated",
        belief_dim=8,
        network=NetworkSettings(
            entity_dim=8, heads=2, key_dim=4, hidden=16, blocks=1, ffn=16, dropout=0.1
        ),
        **{"update_interval": 4, "train": training(), **changes},
    )


def training(**changes: Any) -> TrainSettings:
    settings: dict[str, Any] = {
        "episodes": 100,
        "batch_size": 4,
        "warmup_episodes": 4,
        "in_flight": 4,
        "updates_per_interval": 2,
        "exploration_decay_episodes": 8,
    }
    return TrainSettings(**{**settings, **changes})


def a_trainer(config: Config | None = None, teams: Teams | None = None) -> Trainer:
    chosen = a_config() if config is None else config
    return Trainer(chosen, build_teams(chosen, "train") if teams is None else teams)


def intervals(trainer: Trainer, count: int) -> list[dict[str, float]]:
    return [trainer.learn(trainer.collect()).metrics for _ in range(count)]


def same_state(one: Trainer, other: Trainer) -> bool:
    ours, theirs = one.arrays(), other.arrays()
    return json.dumps(one.state()) == json.dumps(other.state()) and all(
        ours[group].keys() == theirs[group].keys()
        and all(
            torch.equal(torch.as_tensor(value), torch.as_tensor(theirs[group][key]))
            for key, value in ours[group].items()
        )
        for group in ours
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"memory": MemorySettings(scope="episode")},
        {"memory": MemorySettings(scope="stream"), "reward": RewardSettings(dynamic=True)},
    ],
)
@pytest.mark.parametrize("used", [False, True])
def test_a_restored_trainer_goes_on_to_the_same_bits(
    changes: dict[str, Any], used: bool, tmp_path: Path
):
    config = a_config(**changes)
    trainer = a_trainer(config)
    intervals(trainer, 2)
    save_checkpoint(tmp_path, "here", trainer.arrays(), trainer.state())
    restored = a_trainer(config)
    if used:
        # What it did before must not shine through.
        intervals(restored, 3)
    restored.restore(load_checkpoint(tmp_path / "here"))
    assert same_state(restored, trainer)
    assert intervals(restored, 2) == intervals(trainer, 2)
    assert same_state(restored, trainer)
    assert len(restored.buffer) == len(trainer.buffer)


@pytest.mark.slow
def test_a_trainer_can_be_restored_before_it_has_played(tmp_path: Path):
    trainer = a_trainer()
    save_checkpoint(tmp_path, "start", trainer.arrays(), trainer.state())
    restored = a_trainer()
    intervals(restored, 1)
    restored.restore(load_checkpoint(tmp_path / "start"))
    assert same_state(restored, a_trainer())
    assert intervals(restored, 1) == intervals(trainer, 1)


@pytest.mark.slow
def test_one_checkpoint_restores_as_often_as_it_is_asked_to(tmp_path: Path):
    config = a_config(memory=MemorySettings(scope="stream"))
    trainer = a_trainer(config)
    intervals(trainer, 2)
    save_checkpoint(tmp_path, "here", trainer.arrays(), trainer.state())
    checkpoint = load_checkpoint(tmp_path / "here")
    found = []
    for _ in range(2):
        trainer.restore(checkpoint)
        found += intervals(trainer, 1)
    assert found[0] == found[1]


@pytest.mark.slow
def test_metrics_depend_on_the_seed_and_not_on_the_number_of_episodes_in_flight():
    one, three = (
        intervals(a_trainer(a_config(train=training(in_flight=places))), 3) for places in (1, 3)
    )
    assert one == three
    assert intervals(a_trainer(a_config(seed=1)), 3) != one


class Interrupted(Exception):
    """An error that stops a trainer in the middle of its games."""


class Interrupting:
    """Teams that are interrupted in one of their steps."""

    status = ""

    def __init__(self, teams: Teams, at: int) -> None:
        self.space, self.num_places = teams.space, teams.num_places
        self.reset, self.close, self.trace = teams.reset, teams.close, teams.trace
        self.num_questions, self.text = teams.num_questions, teams.text
        self._teams = teams
        self._left = at

    def step(self, actions: Any) -> Moment:
        moment = self._teams.step(actions)
        self._left -= 1
        if self._left == 0:
            raise Interrupted
        return moment


@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_interrupted_collection_leaves_the_trainer_as_it_was(step: int):
    config = a_config(memory=MemorySettings(scope="stream"), train=training(in_flight=2))
    calm, shaken = (a_trainer(config, toy_teams(2)) for _ in range(2))
    intervals(calm, 1)
    intervals(shaken, 1)
    shaken.rollouts = LocalRollouts(
        teams=Interrupting(shaken.teams, step), exploration=shaken.exploration.explore
    )
    with pytest.raises(Interrupted):
        shaken.collect()
    assert same_state(shaken, calm)
    assert same_episodes(shaken.collect(), calm.collect())


def test_collecting_again_before_learning_is_the_same_again():
    trainer = a_trainer(a_config(memory=MemorySettings(scope="stream")))
    intervals(trainer, 1)
    assert same_episodes(trainer.collect(), trainer.collect())


@pytest.mark.parametrize(
    ("limits", "updates"),
    [
        ({"warmup_episodes": 8, "batch_size": 4}, [0, 2, 4]),
        ({"warmup_episodes": 4, "batch_size": 12}, [0, 0, 2]),
    ],
)
def test_nothing_is_learned_before_the_warm_up_or_without_a_batch(
    limits: dict[str, int], updates: list[int]
):
    trainer = a_trainer(a_config(train=training(**limits)))
    played = [trainer.learn(trainer.collect()) for _ in range(3)]
    assert [each.metrics["counters/updates"] for each in played] == updates
    for interval, count in zip(played, updates, strict=True):
        assert ("train/loss_total" in interval.metrics) == (count > 0)


def test_the_change_of_commitments_is_that_on_the_same_questions():
    trainer = a_trainer()
    same = trainer.probe()
    assert trainer.commitment_change(same) is None
    assert trainer.commitment_change(trainer.probe()) == 0.0
    turned = -same
    turned[0] = 0.0  # failed
    assert trainer.commitment_change(turned) == pytest.approx(2.0, abs=1e-5)
    assert trainer.commitment_change(0 * same) is None


def test_an_environment_without_commitments_cannot_be_probed():
    trainer = a_trainer(teams=toy_teams(4))
    with pytest.raises(ValueError, match="names no commitment"):
        trainer.probe()


def test_failed_episodes_are_counted_and_dropped():
    fails = {"infos": lambda seed, step: {"failed": float(seed % 2)}}
    trainer = a_trainer(teams=toy_teams(4, **fails))
    played = trainer.collect()
    failed = sum(episode.failed for episode in played)
    assert 0 < failed < 4
    metrics = trainer.learn(played).metrics
    assert (metrics["counters/episodes"], metrics["counters/failed"]) == (4, failed)
    kept = [episode.number for episode in trainer.buffer.episodes]
    assert kept == [episode.number for episode in played if not episode.failed]


def test_an_interval_without_a_result_is_reported_and_does_not_stop_anything():
    trainer = a_trainer(teams=toy_teams(4, infos=lambda seed, step: {"failed": 1.0}))
    interval = trainer.learn(trainer.collect())
    assert interval.metrics["counters/failed"] == 4
    assert not any(name.startswith("collection/reward") for name in interval.metrics)


def test_the_last_interval_is_as_long_as_what_is_left():
    trainer = a_trainer(a_config(train=training(episodes=6)))
    lengths = []
    for _ in range(2):
        played = trainer.collect()
        lengths.append(len(played))
        trainer.learn(played)
    assert lengths == [4, 2]
    assert trainer.episodes == 6


def test_metrics_stand_in_their_namespaces():
    metrics = intervals(a_trainer(), 2)[-1]
    assert {name.partition("/")[0] for name in metrics} == {"collection", "train", "counters"}
    for name in (
        "collection/reward_mean",
        "collection/accuracy",
        "collection/exploration_std",
        "train/loss_total",
        "train/loss_equilibrium",
        "train/gradient_norm",
        "train/alpha_ts",
    ):
        assert np.isfinite(metrics[name]), name
    assert metrics["counters/episodes"] == 8


def test_live_weights_are_played_with_only_where_they_are_learned():
    fixed = a_trainer()
    assert fixed.options() is None
    trainer = a_trainer(a_config(reward=RewardSettings(dynamic=True, eta_alpha=0.5)))
    start = trainer.options()
    metrics = intervals(trainer, 2)[-1]
    now = trainer.options()
    assert start is not None
    assert now is not None
    assert start != now
    assert now["reward_weights"]["ts"] == metrics["train/alpha_ts"] >= 0.3
    (episode, *_) = trainer.collect()
    paid = sum(weight * episode.infos[name] for name, weight in now["reward_weights"].items())
    np.testing.assert_allclose(episode.rewards, paid, atol=1e-6)


@pytest.mark.slow
def test_learning_rates_fall_towards_the_last_episode():
    train = training(episodes=12, warmup_episodes=4, learning_rate_end=0.5)
    trainer = a_trainer(a_config(train=train))
    rates = []
    for _ in range(3):
        intervals(trainer, 1)
        rates.append(trainer.learner.optimiser.param_groups[0]["lr"] / train.learning_rate)
    assert rates == pytest.approx([1.0, 0.75, 0.5])


def test_a_checkpoint_of_other_networks_is_refused(tmp_path: Path):
    trainer = a_trainer()
    save_checkpoint(tmp_path, "other", trainer.arrays(), trainer.state())
    wider = a_trainer(replace(a_config(), belief_dim=9))
    with pytest.raises(CheckpointError, match="belief_dim was 8 and is 9"):
        wider.restore(load_checkpoint(tmp_path / "other"))
