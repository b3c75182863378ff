"""``econ-agents nash``: measures the gain of the best deviations from a trained team's policy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from econ_agents.algorithm.builders import build_teams
from econ_agents.algorithm.question_order import question_order
from econ_agents.atomic_files import replace_file
from econ_agents.config.schema import Config, ConfigError
from econ_agents.config.shared_questions import shared_questions
from econ_agents.equilibrium.nash_conv import FEWEST_QUESTIONS, NASH_FILE
from econ_agents.equilibrium.policy_nash_conv import measure_nash_conv, most_plays
from econ_agents.evaluation.evaluate import live_options, load_networks
from econ_agents.guarded_files import make_private_folder


def run_nash(
    config: Config, checkpoint: Path, log_dir: Path, *, questions: int, seeds: Sequence[int]
) -> int:
    """Measure NashConv once per seed, print it and write it as JSON; the exit code is 0.

    Args:
        config: configuration of the checkpoint; its phase "test" is played, one round per decision.
        checkpoint: folder of the trained team.
        log_dir: folder for ``nash.json``.
        questions: number of questions on which every deviation is played.
        seeds: seeds, each for one measurement.

    Raises:
        ConfigError: there are too few questions for two halves.
        CheckpointError: the checkpoint is damaged, or its networks have other shapes.
        TooFewResults: almost no episode came to a result.
    """
    if questions < FEWEST_QUESTIONS:
        raise ConfigError(
            f"--questions must be at least {FEWEST_QUESTIONS}, got {questions}: one half of them "
            "chooses deviations, and the other half measures them"
        )
    found: list[dict[str, Any]] = []
    teams = build_teams(config, "test", bne=False)
    try:
        networks = load_networks(config, checkpoint, teams.space)
        options = live_options(config, checkpoint)
        order = question_order(teams, questions, seed=0, purpose="nash")
        same = None if order.numbers is None else shared_questions(config)
        for note in filter(None, (order.note, same)):
            print(f"note: {note}")
        for seed in seeds:
            plays = most_plays(len(teams.space.agents), teams.space.action_size)
            with tqdm(total=plays, unit="play", desc=f"seed {seed}", disable=None) as bar:
                result = measure_nash_conv(
                    config,
                    networks,
                    teams,
                    questions=questions,
                    seed=seed,
                    options=options,
                    played=bar.update,
                )
            found.append({"seed": seed, **result.to_json()})
            print(f"seed {seed}: NashConv {result.interval}, in sample {result.in_sample:.4g}")
            for agent in result.agents:
                name = teams.space.agents[agent.agent]
                print(f"  {name}: best deviation gains {agent.gain}")
    finally:
        teams.close()
    make_private_folder(log_dir)
    path = log_dir / NASH_FILE
    replace_file(path, (json.dumps(found, indent=1) + "\n").encode())
    print(f"report: {path}")
    return 0
