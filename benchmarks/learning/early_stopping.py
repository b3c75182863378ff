"""Show early stopping on the simulated team: it fires when learning is over, and not before.

    python -m benchmarks.learning.early_stopping runs/early_stopping

It trains the preset ``simulated`` to its last episode (minutes) while the probe questions are
played, and then lets the paper's three criteria judge the log: the episode at which they would have
ended the run, and the rewards before and after it. A folder that holds a finished run is only
judged. The exit code is 1 if the criteria never hold, or if the team still learned afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tyro

from econ_agents.config.files import read_config
from econ_agents.logging.metrics_log import JSONL, read_metrics
from econ_agents.training.early_stopping import EarlyStopping, Measurement
from econ_agents.training.train import run_training

REWARD = "collection/reward_per_decision"
SPAN = 200
"""Number of episodes over which rewards before and after the stop are compared."""
MARGIN = 0.02
"""Growth of the reward per decision after the stop from which on it came too early."""


def criteria() -> EarlyStopping:
    """Make the rule that is shown; R_threshold is the paper's, the others fit a noisy simulator."""
    return EarlyStopping(
        commitment_threshold=0.05,
        loss_threshold=0.003,
        reward_threshold=0.7,
        patience=100,
        warmup=20,
        smoothing=100.0,
    )


def stops_at(lines: Sequence[dict[str, float]]) -> int | None:
    """Return the episode at which the criteria end the run of a log; None if they never hold."""
    rule = criteria()
    for line in lines:
        if "train/loss_total" not in line or REWARD not in line:
            continue
        measured = Measurement(
            episodes=int(line["step"]),
            reward_per_decision=line[REWARD],
            loss=line["train/loss_total"],
            metric=line[REWARD],
            commitment_change=line.get("stopping/commitment_change"),
        )
        if rule.update(measured):
            return int(line["step"])
    return None


def rewards(lines: Sequence[dict[str, float]], first: int, last: int) -> float:
    """Mean reward per decision of the episodes after ``first`` up to ``last``."""
    return float(np.mean([line[REWARD] for line in lines if first < line["step"] <= last]))


def train(log_dir: Path) -> None:
    """Train the preset to its end, under criteria that nothing can fulfil."""
    never = "commitment_threshold=0 loss_threshold=0 reward_threshold=9 enabled=true"
    config = read_config(
        "simulated",
        [
            *(f"early_stopping.{each}" for each in never.split()),
            "train.nash_interval=0",
            "logging.tensorboard=false",
        ],
    )
    run_training(config, log_dir)


def main(log_dir: tyro.conf.Positional[Path]) -> int:
    """Train unless ``log_dir`` holds a run, and judge its log.

    Args:
        log_dir: folder of the run.
    """
    if not (log_dir / JSONL).exists():
        train(log_dir)
    lines = read_metrics(log_dir)
    end, stop = int(lines[-1]["step"]), stops_at(lines)
    if stop is None:
        print(f"the criteria never held in {end} episodes")
        return 1
    before = rewards(lines, stop - SPAN, stop)
    print(f"stops after {stop} of {end} episodes")
    print(f"reward per decision in the {SPAN} episodes before: {before:.3f}")
    if stop - SPAN > 0:
        print(f"                    and in all before these: {rewards(lines, 0, stop - SPAN):.3f}")
    if stop == end:
        return 0
    after = rewards(lines, stop, end)
    print(f"               and in the {end - stop} that follow: {after:.3f}")
    return int(after - before > MARGIN)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
