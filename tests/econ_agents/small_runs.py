"""Training runs that take a moment: on the simulated team, with networks of a few units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from econ_agents.config.files import read_config
from econ_agents.config.schema import Config
from econ_agents.logging.metrics_log import deterministic, read_metrics
from econ_agents.training.checkpoint import load_checkpoint
from econ_agents.training.train import run_training

TINY = (
    "belief_dim=4 network.entity_dim=4 network.hidden=4 network.heads=1 network.key_dim=2 "
    "network.ffn=4 network.blocks=1 train.episodes=40 train.warmup_episodes=10 train.batch_size=4 "
    "train.updates_per_interval=1 train.checkpoint_interval=10 train.exploration_decay_episodes=20 "
    "target_update_interval=2 logging.tensorboard=false logging.plots=false logging.progress=false"
).split()
"""Assignments that make a preset small and quiet."""


def small_config(*assignments: str, preset: str = "simulated") -> Config:
    """A preset, made small, with further assignments."""
    return read_config(preset, [*TINY, *assignments])


def train(log_dir: Path, *assignments: str, preset: str = "simulated") -> Path:
    """Train to the end; returns ``log_dir``."""
    assert run_training(small_config(*assignments, preset=preset), log_dir) == 0
    return log_dir


def numbers(log_dir: Path) -> list[dict[str, float]]:
    """The lines of the metrics without timers."""
    return [deterministic(line) for line in read_metrics(log_dir)]


def checkpoint_path(log_dir: Path, name: str = "final") -> Path:
    return log_dir / "checkpoints" / name


def state_of(log_dir: Path, name: str = "final") -> dict[str, Any]:
    """The plain data of a checkpoint."""
    return load_checkpoint(checkpoint_path(log_dir, name)).state


def assert_same_team(one: Path, other: Path, name: str = "final") -> None:
    """Everything that was learned and is remembered is the same to the last bit."""
    ours, theirs = (load_checkpoint(checkpoint_path(place, name)) for place in (one, other))
    assert ours.arrays.keys() == theirs.arrays.keys()
    for group, tensors in ours.arrays.items():
        assert tensors.keys() == theirs.arrays[group].keys()
        for key, tensor in tensors.items():
            assert torch.equal(tensor, theirs.arrays[group][key]), f"{group}: {key}"
    for key in ("episodes", "failed", "updates", "stopping", "best", "evaluated"):
        assert ours.state[key] == theirs.state[key], key
