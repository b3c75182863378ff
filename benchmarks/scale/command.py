"""Measure gains and costs of team size: 1 to 27 executors, flat and in groups.

    python -m benchmarks.scale                            # the bundled models
    python -m benchmarks.scale --questions 20 --out /tmp/scale.json
    python -m benchmarks.scale --executors 3 9 --checkpoint runs/shared

All executors sample with the same fixed action, so that teams differ only in
their size: a policy trained for three executors says nothing about
twenty-seven. A checkpoint whose executors share their parameters plays teams of
all sizes, and may replace the action.

A flat coordinator reads all responses, which may be too long for its model.
They are then cut to their ends, and the table counts such prompts. If even the
ends do not fit, the question fails, and the table tells how many failed and why.

Results go to benchmarks/results/scale.json after every batch of questions:
repeat an interrupted command to continue.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.comparison.econ_policy import Fixed, Steering, Trained
from benchmarks.learning.results import RESULTS
from benchmarks.scale.measuring import Study, measure_scale
from benchmarks.scale.table import table_lines
from econ_agents.training.inspection import find_checkpoint
from econ_console.program import run_program
from econ_env.commands.flags import fixed_point
from econ_env.config import EnvConfig
from econ_env.errors import UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the missing teams and print the table; return the exit code."""
    chosen = _parser().parse_args(arguments)
    torch.set_num_threads(1)  # networks this small are slower on several
    return run_program(
        "benchmarks.scale",
        lambda: _measure(chosen),
        interrupted=f"interrupted; the results so far are in {chosen.out}. Repeat the command to "
        "continue",
    )


def _measure(chosen: argparse.Namespace) -> int:
    try:
        study = _study(chosen)
        # Impossible teams are refused before the first one is played.
        tuple(study.teams())
    except ValueError as error:
        raise UsageError(str(error)) from error
    summary = measure_scale(study, out=chosen.out, in_flight=chosen.in_flight, fresh=chosen.fresh)
    for line in table_lines(summary):
        print(line)
    print(f"written to {chosen.out}")
    return 0


def _study(chosen: argparse.Namespace) -> Study:
    """Return the study that the flags describe; ``ValueError`` if they are not valid."""
    config = EnvConfig(
        dataset=chosen.dataset,
        llm=chosen.llm,
        split=chosen.split,
        data_path=chosen.data_path,
        bne_rounds=chosen.rounds,
        seed=chosen.seed,
    )
    steering, sampling = _steering(chosen, config)
    return Study(
        config=config,
        steering=steering,
        sampling=sampling,
        executors=tuple(chosen.executors),
        group_size=chosen.group_size,
        questions=chosen.questions,
    )


def _steering(chosen: argparse.Namespace, config: EnvConfig) -> tuple[Steering, str]:
    """Return the source of actions, and its description for the user."""
    if chosen.checkpoint is not None:
        return Trained(checkpoint=find_checkpoint(chosen.checkpoint)), "by a trained policy"
    temperature, penalty = chosen.temperature, chosen.repetition_penalty
    point = fixed_point(config.bounds(), temperature=temperature, repetition_penalty=penalty)
    return Fixed(action=point), f"T = {temperature:g}, p = {penalty:g}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--executors", type=int, nargs="+", default=[1, 3, 6, 9, 27], help="sizes of the teams")
    add("--group-size", type=int, default=3, help="larger teams also play in groups of this size")
    add("--questions", type=int, default=300, help="number of questions, equal for all teams")
    add("--seed", type=int, default=0, help="seed of the choice of questions and of all sampling")
    add("--llm", default="bundled", help="model of all, or a family whose models take turns")
    add("--dataset", default="arithmetic", help="name of a data set, a file, or an id of the hub")
    add("--split", default="test", help="split of the data set")
    add("--data-path", type=Path, help="local file or folder with the rows of a public data set")
    add("--rounds", type=int, default=1, help="largest number of rounds per decision (bne_rounds)")
    add("--temperature", type=float, default=0.3, help="temperature of every executor")
    add("--repetition-penalty", type=float, default=1.0, help="penalty of every executor")
    add("--checkpoint", type=Path, help="checkpoint with shared parameters that chooses actions")
    add("--in-flight", type=int, default=50, help="questions that are played at the same time")
    add("--out", type=Path, default=RESULTS / "scale.json", help="file of the results")
    add("--fresh", action="store_true", help="delete existing results first")
    return parser
