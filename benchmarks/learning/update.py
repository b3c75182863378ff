"""Measure the time of an update: stacked executors against a loop, and the share of a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from benchmarks.learning.looped import LoopedBeliefs, LoopedLearner, looped_networks
from benchmarks.learning.results import Result, ResultFile
from econ_agents.algorithm.builders import build_learner, build_teams, build_weighting
from econ_agents.algorithm.learner import Learner
from econ_agents.algorithm.replay_buffer import Batch
from econ_agents.config.files import config_mapping, read_config
from econ_agents.config.schema import Config
from econ_agents.seeds import numpy_generator
from econ_agents.training.trainer import Trainer

PROMISED_RATIO = 2.0
TOLERANCE = 1e-3
"""Largest difference after one update, relative for losses and absolute for parameters. It is this
large because float32 sums differ in their order, and Adam's first step scales every gradient to the
same size."""
SIMULATED = ("env_args.hf_dataset_path=simulated", "executor_model=simulated")


def measure_update(*, repeats: int, episodes: Sequence[int], out: Path) -> Result:
    """Measure the ratio and the shares; neither depends on a seed.

    Args:
        repeats: repetitions of each update, taken in turn; the fastest of each counts.
        episodes: episodes of the short runs with the presets "simulated" and "quickstart".
        out: file of the results.
    """
    teams = {
        "update": read_config(None, SIMULATED),
        "update of 9 executors": read_config(None, [*SIMULATED, "n_agents=9"]),
        "update of the preset simulated": read_config("simulated"),
    }
    settings = {name: config_mapping(config) for name, config in teams.items()}
    file = ResultFile(out, {"configs": settings, "repeats": repeats})
    for name, config in teams.items():
        file.put(name, compare_updates(config, repeats))
        print(f"{name}: {file.parts()[name]['ratio']:.2f} times as fast as the loop", flush=True)
    for preset, count in zip(("simulated", "quickstart"), episodes, strict=True):
        file.put(f"run of {preset}", _shares(read_config(preset), count))
    parts = file.parts()
    summary = {
        "ratio": {name: parts[name]["ratio"] for name in teams},
        "update_ms": parts["update"]["stacked_ms"],
        "rollout_share": {
            name.removeprefix("run of "): part["rollout_share"]
            for name, part in parts.items()
            if name.startswith("run of ")
        },
        "promises": {"at least twice as fast": parts["update"]["ratio"] >= PROMISED_RATIO},
    }
    file.summarise(summary)
    return summary


def compare_updates(config: Config, repeats: int) -> Result:
    """Return the times of a stacked and of a looped update, measured in turn."""
    batch = _batch(config)
    still = replace(config.network, dropout=0, observation_dropout=0)
    equal = _largest_difference(replace(config, network=still), batch)
    stacked, looped = _learners(config)
    fastest = {"stacked": float("inf"), "looped": float("inf")}
    for _ in range(repeats):
        for name, learner in (("stacked", stacked), ("looped", looped)):
            start = time.perf_counter()
            learner.update(batch)
            fastest[name] = min(fastest[name], time.perf_counter() - start)
    return {
        "batch": len(batch.team_rewards),
        "executors": len(batch.actions),
        "stacked_ms": 1e3 * fastest["stacked"],
        "looped_ms": 1e3 * fastest["looped"],
        "ratio": fastest["looped"] / fastest["stacked"],
        "promised_ratio": PROMISED_RATIO,
        **equal,
    }


def _learners(config: Config) -> tuple[Learner, LoopedLearner]:
    """Return two learners, stacked and looped, with equal networks."""
    teams = build_teams(config, "train")
    try:
        stacked = build_learner(config, teams.space)
    finally:
        teams.close()
    looped = LoopedLearner(
        looped_networks(stacked.networks),
        build_weighting(config),
        config,
        commitment=stacked._commitment,
        seen=stacked._seen,
    )
    return stacked, looped


def _largest_difference(config: Config, batch: Batch) -> Result:
    """Return the largest differences of losses and of parameters after one update.

    ``config`` must be without dropout, because the two draw masks in different orders.

    Raises:
        ValueError: the differences are too large for rounding, so the two do different work.
    """
    stacked, looped = _learners(config)
    one, other = stacked.update(batch), looped.update(batch)
    apart = max(abs(one[name] - other[name]) / max(1.0, abs(one[name])) for name in one)
    beliefs = cast(LoopedBeliefs, looped.networks.beliefs).stacked_parameters()
    steps = max(
        float((value - beliefs[name]).abs().max())
        for name, value in stacked.networks.beliefs.state_dict().items()
    )
    if max(apart, steps) > TOLERANCE:
        raise ValueError(f"the loop does something else: losses {apart}, parameters {steps} apart")
    return {"losses_apart": apart, "parameters_apart": steps}


def _batch(config: Config) -> Batch:
    """Return a batch of decisions by simulated teams."""
    teams = build_teams(config, "train")
    try:
        trainer = Trainer(config, teams)
        while len(trainer.buffer) < config.train.batch_size:
            trainer.buffer.extend(trainer.collect())
            trainer.episodes += config.update_interval
        return trainer.buffer.sample(config.train.batch_size, numpy_generator("learning benchmark"))
    finally:
        teams.close()


def _shares(config: Config, episodes: int) -> Result:
    """Return the shares of a run's time, from the first update on."""
    train = replace(config.train, warmup_episodes=0, episodes=config.train.batch_size + episodes)
    config = replace(config, train=train)
    teams = build_teams(config, "train")
    played = learned = 0.0
    first = 0
    try:
        trainer = Trainer(config, teams)
        while trainer.episodes < config.train.episodes:
            start = time.perf_counter()
            found = trainer.collect()
            collected = time.perf_counter()
            trainer.learn(found)
            if not trainer.learner.updates:
                first = trainer.episodes
                continue
            played += collected - start
            learned += time.perf_counter() - collected
    finally:
        teams.close()
    return {
        "episodes": trainer.episodes - first,
        "updates": trainer.learner.updates,
        "episodes_per_second": (trainer.episodes - first) / (played + learned),
        "rollout_share": played / (played + learned),
    }
