"""Show early stopping on the simulated team: it fires when learning is over, and not before.

The preset ``simulated`` is trained to its last episode while the probe questions are played. The
paper's three criteria then judge the log: the episode at which they would have ended the run, and
the rewards before and after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learning.results import Result, ResultFile
from econ_agents.config.files import config_mapping, read_config
from econ_agents.logging.metrics_log import JSONL, read_metrics
from econ_agents.training.early_stopping import EarlyStopping, Measurement
from econ_agents.training.train import run_training

REWARD = "collection/reward_per_decision"
SPAN = 200
"""Number of episodes over which rewards before and after the stop are compared."""
CRITERIA: dict[str, Any] = {
    "commitment_threshold": 0.05,
    "loss_threshold": 0.005,
    "reward_threshold": 0.7,
    "patience": 100,
    "warmup": 20,
    "smoothing": 100.0,
}
"""Rule that is shown; R_threshold is the paper's, the others fit a noisy simulator."""
_NEVER = "commitment_threshold=0 loss_threshold=0 reward_threshold=9 enabled=true"


def measure_early_stopping(*, work: Path, out: Path) -> Result:
    """Train unless ``work`` holds the run, judge its log, and return the summary.

    Args:
        work: folder of the runs.
        out: file of the results.
    """
    config = read_config(
        "simulated",
        [
            *(f"early_stopping.{each}" for each in _NEVER.split()),
            "train.nash_interval=0",
            "logging.tensorboard=false",
        ],
    )
    run = work / "early_stopping"
    settings = {"config": config_mapping(config), "criteria": CRITERIA}
    file = ResultFile(out, settings)
    if not (run / JSONL).exists():
        run_training(config, run)
    found = judged(read_metrics(run))
    file.put("simulated", found)
    file.summarise(found)
    return found


def judged(lines: Sequence[dict[str, float]]) -> Result:
    """Return the episode at which the criteria end the run of a log, and mean rewards around it.

    Rewards are per decision: ``early`` of all episodes but the last :data:`SPAN` before the stop,
    ``before`` of these, ``after`` of those that follow. None: there are no such episodes, or the
    criteria never held.
    """
    end, stop = int(lines[-1]["step"]), stops_at(lines)
    at = end if stop is None else stop
    return {
        "episodes": end,
        "span": SPAN,
        "stops_after": stop,
        "early": _rewards(lines, 0, at - SPAN),
        "before": _rewards(lines, at - SPAN, at),
        "after": _rewards(lines, at, end),
    }


def stops_at(lines: Sequence[dict[str, float]]) -> int | None:
    """Return the episode at which the criteria end the run of a log; None if they never hold."""
    rule = EarlyStopping(**CRITERIA)
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


def _rewards(lines: Sequence[dict[str, float]], first: int, last: int) -> float | None:
    """Mean reward per decision of the episodes after ``first`` up to ``last``; None without any."""
    found = [line[REWARD] for line in lines if first < line["step"] <= last]
    return float(np.mean(found)) if found else None
