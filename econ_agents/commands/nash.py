"""``econ-agents nash``: measures the gain of the best deviations from a trained team's policy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from econ_agents.algorithm.builders import build_teams
from econ_agents.algorithm.question_order import question_order
from econ_agents.config.schema import Config, ConfigError
from econ_agents.config.shared_questions import shared_questions
from econ_agents.equilibrium.nash_conv import FEWEST_QUESTIONS, NASH_FILE
from econ_agents.equilibrium.policy_nash_conv import measure_nash_conv, most_plays
from econ_agents.evaluation.evaluate import live_options, load_networks
from econ_agents.logging.progress import Progress, duration, opened_progress
from econ_agents.training.checkpoint import load_checkpoint
from econ_agents.training.inspection import nothing_learned
from econ_files.durable import replace_file
from econ_files.private import make_private_folder


def _foretelling(progress: Progress, plays: int, *, tell: bool) -> Callable[[], object]:
    """Make a callback for every play, which says after the first one how long all will take."""
    begin, told = time.monotonic(), not tell

    def played() -> None:
        nonlocal told
        progress.advance()
        if not told:
            told = True
            expected = duration((time.monotonic() - begin) * plays)
            progress.note(
                f"this will take about {expected} at most; the time grows with --questions, and "
                "the interval narrows with them"
            )

    return played


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
    make_private_folder(log_dir)
    found: list[dict[str, Any]] = []
    teams = build_teams(config, "test", bne=False)
    try:
        networks = load_networks(config, checkpoint, teams.space)
        options = live_options(config, checkpoint)
        order = question_order(teams, questions, seed=0, purpose="nash")
        same = None if order.numbers is None else shared_questions(config)
        untouched = nothing_learned(config, load_checkpoint(checkpoint))
        for note in filter(None, (untouched, order.note, same)):
            print(f"note: {note}")
        plays = most_plays(len(teams.space.agents), teams.space.action_size)
        print(
            f"{questions} questions, each half played up to {plays // 2} times: at most "
            f"{plays * questions // 2 * len(seeds):,} episodes"
        )
        for seed in seeds:
            with opened_progress(description=f"seed {seed}", total=plays, unit="play") as progress:
                result = measure_nash_conv(
                    config,
                    networks,
                    teams,
                    questions=questions,
                    seed=seed,
                    options=options,
                    played=_foretelling(progress, plays * len(seeds), tell=seed == seeds[0]),
                )
            found.append({"seed": seed, **result.to_json()})
            print(f"seed {seed}: NashConv {result.interval}, in sample {result.in_sample:.4g}")
            for agent in result.agents:
                name = teams.space.agents[agent.agent]
                print(f"  {name}: best deviation gains {agent.gain}")
    finally:
        teams.close()
    path = log_dir / NASH_FILE
    replace_file(path, (json.dumps(found, indent=1) + "\n").encode())
    print(f"report: {path}")
    return 0
