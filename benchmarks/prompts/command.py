"""Measure costs and gains of the game's prompts on a real model, by question.

    python -m benchmarks.prompts --llm local:qwen2.5-coder-0.5b
    python -m benchmarks.prompts --llm local:qwen2.5-coder-1.5b --temperature 0.6

Plays the same rows of the *training* split of GSM8K as one greedy executor with
the plain question, as one with a strategy, and as a team of three under every
commitment rule, with every prompt set. Completions are kept in --cache-path and
finished arms in --out: repeat an interrupted command to continue.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.learning.results import RESULTS, Result, ResultFile
from benchmarks.prompts.arms import Arm, arms_of
from benchmarks.prompts.measuring import Study, play_arm
from benchmarks.prompts.table import table_lines
from econ_console.program import run_program

PROMPT_NAMES = ("plain", "default")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the missing arms and print the table; return the exit code."""
    chosen = _parser().parse_args(arguments)
    study = Study(
        llm=chosen.llm,
        dataset=chosen.dataset,
        split=chosen.split,
        data_path=chosen.data_path,
        questions=chosen.questions,
        seed=chosen.seed,
        cache_path=chosen.cache_path,
        in_flight=chosen.in_flight,
    )
    arms = list(arms_of(chosen.prompts, n_agents=chosen.n_agents, temperature=chosen.temperature))

    def run() -> int:
        for line in table_lines(study.llm, _play(study, arms, chosen.out, fresh=chosen.fresh)):
            print(line)
        return 0

    return run_program(
        "benchmarks.prompts",
        run,
        interrupted=f"interrupted; finished arms are in {chosen.out}, completions in "
        f"{chosen.cache_path}. Repeat the command to continue",
    )


def _play(study: Study, arms: Sequence[Arm], out: Path, *, fresh: bool) -> dict[Arm, Result]:
    """Return the counts of every arm; those of finished arms come from the file."""
    data = {name: getattr(study, name) for name in ("dataset", "split", "questions", "seed")}
    results = ResultFile(out, data, libraries=("transformers",), fresh=fresh)
    played = {}
    for arm in arms:
        name = f"{study.llm} {arm.name}"
        if name not in results.parts():
            results.put(name, {"arm": asdict(arm), "llm": study.llm, **play_arm(study, arm)})
        played[arm] = results.parts()[name]
    return played


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prompts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--llm", default="local:qwen2.5-coder-0.5b", help="the model that plays all roles")
    add("--prompts", nargs="+", choices=PROMPT_NAMES, default=PROMPT_NAMES, help="prompt sets")
    add("--n-agents", type=int, default=3, help="executors of the teams")
    add("--temperature", type=float, default=0.6, help="temperature of the teams' executors")
    add("--questions", type=int, default=200, help="number of questions, equal for all arms")
    add("--dataset", default="gsm8k", help="name of a data set, a file, or an id of the hub")
    add("--split", default="train", help="split of the data set; not the one of reported results")
    add("--data-path", type=Path, help="local file or folder with the rows of a public data set")
    add("--seed", type=int, default=0, help="seed of the choice of questions and of all sampling")
    add("--in-flight", type=int, default=64, help="questions that are played at the same time")
    add("--cache-path", type=Path, default=Path("runs", "prompts.sqlite"), help="cache file")
    add("--out", type=Path, default=RESULTS / "prompts.json", help="file of the results")
    add("--fresh", action="store_true", help="delete existing results first")
    return parser
