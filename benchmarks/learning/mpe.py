"""Measure ECON on mpe2's simple_spread, a third-party environment: trained against random."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.results import Result, ResultFile, over_seeds
from benchmarks.learning.simulated import train
from econ_agents.algorithm.builders import build_policy, build_teams
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.rollout import Override, play_episodes
from econ_agents.config.files import config_mapping, read_config
from econ_agents.config.schema import Config
from econ_agents.seeds import derive_seed, numpy_generator
from econ_agents.statistics import paired_difference
from econ_agents.training.trainer import Trainer

PRESET = "mpe_spread"
POINTS = 10
"""Number of points of the curve of training returns."""


def measure_mpe(
    *, seeds: Sequence[int], episodes: int, assignments: Sequence[str], out: Path
) -> Result:
    """Train once for every seed that is not finished; return the summary of all seeds.

    Args:
        seeds: seeds of the runs.
        episodes: number of fresh episodes on which policies are compared.
        assignments: overrides of the preset, ``KEY=VALUE``.
        out: file of the results.
    """
    config = read_config(PRESET, assignments)
    file = ResultFile(
        out, {"config": config_mapping(config), "test_episodes": episodes}, libraries=["mpe2"]
    )
    for seed in seeds:
        name = f"seed {seed}"
        if name in file.parts():
            print(f"{name}: finished before")
            continue
        file.put(name, _one_seed(replace(config, seed=seed), episodes))
        shown = {key: f"{value:.2f}" for key, value in file.parts()[name]["returns"].items()}
        print(f"{name}: {shown}", flush=True)
        file.summarise(summarise(file.parts()))
    summary = summarise(file.parts())
    file.summarise(summary)
    return summary


def _one_seed(config: Config, count: int) -> Result:
    """Train, then play the same fresh episodes with trained, random and no actions."""
    returns: dict[str, list[float]] = {}
    seeds = [derive_seed("learning benchmark", "mpe", config.seed, k) for k in range(count)]

    def compare(trainer: Trainer) -> None:
        teams = build_teams(config, "test")
        try:
            for name, override in (
                ("trained", None),
                ("random", _uniform(config.seed)),
                ("still", _still),
            ):
                policy = build_policy(config, trainer.learner.networks, teams.space, "test")
                played = play_episodes(teams, policy, seeds, override=override)
                returns[name] = [_return(episode) for episode in played]
        finally:
            teams.close()

    start = time.monotonic()
    won = train(config, [config.train.episodes], compare)
    return {
        "returns": {name: float(np.mean(values)) for name, values in returns.items()},
        "trained_minus_random": paired_difference(
            returns["trained"], returns["random"], seed=0
        ).to_json(),
        "trained_minus_still": paired_difference(
            returns["trained"], returns["still"], seed=0
        ).to_json(),
        "training_returns": [float(part.mean()) for part in np.array_split(won, POINTS)],
        "seconds": time.monotonic() - start,
    }


def _return(episode: Episode) -> float:
    """Return the sum over an episode of the team reward, the mean of the agents' rewards."""
    return float(episode.team_rewards.sum())


def _uniform(seed: int) -> Override:
    """Return uniform random actions, the same ones whenever the same episodes are played."""

    def uniform(actions: NDArray[np.float32], episode: int, step: int) -> NDArray[np.float32]:
        rng = numpy_generator(seed, "learning benchmark", "uniform", episode, step)
        return rng.uniform(-1, 1, actions.shape).astype(np.float32)

    return uniform


def _still(actions: NDArray[np.float32], episode: int, step: int) -> NDArray[np.float32]:
    """Return the middle of the box, where no force acts, as an untrained policy does."""
    return np.zeros_like(actions)


def summarise(parts: dict[str, Result]) -> Result:
    """Return the summary of all finished seeds."""
    if not parts:
        return {}
    seeds = list(parts.values())
    gains = [part["trained_minus_random"]["mean"] for part in seeds]
    over = over_seeds(gains)
    return {
        "seeds": len(seeds),
        "returns": {
            name: over_seeds([part["returns"][name] for part in seeds])
            for name in ("trained", "random", "still")
        },
        "trained_minus_random": over,
        "trained_minus_still": over_seeds([p["trained_minus_still"]["mean"] for p in seeds]),
        "trained_minus_random_by_seed": {
            name: part["trained_minus_random"] for name, part in parts.items()
        },
        "promises": {
            "above random, interval over seeds above 0": over.get("low", -np.inf) > 0,
            "above random in every seed": all(
                part["trained_minus_random"]["low"] > 0 for part in seeds
            ),
        },
    }
