"""What the game's prompts cost and bring on a real model, question by question.

    python -m benchmarks.prompts --llm local:qwen2.5-coder-0.5b
    python -m benchmarks.prompts --llm local:qwen2.5-coder-1.5b --questions 200 --temperature 0.6

Plays the same rows of the *training* split of GSM8K as one greedy executor with the plain question,
as one with a strategy, and as a team of three under every commitment rule, with every prompt set.
Completions are kept in --cache-path and finished arms in --out, so that an interrupted run goes on
with the same command.
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
from econ_agents.commands.program import run_program

PROMPT_NAMES = ("plain", "default")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is missing, print the table; the exit code."""
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
        for line in table_lines(study.llm, _play(study, arms, chosen.out)):
            print(line)
        return 0

    return run_program(
        "benchmarks.prompts",
        run,
        interrupted=f"interrupted; finished arms are in {chosen.out}, completions in "
        f"{chosen.cache_path}, and the same command goes on with them",
    )


def _play(study: Study, arms: Sequence[Arm], out: Path) -> dict[Arm, Result]:
    """The counts of every arm, those of finished ones from the file."""
    data = {name: getattr(study, name) for name in ("dataset", "split", "questions", "seed")}
    results = ResultFile(out, data, libraries=("transformers",))
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
    add("--temperature", type=float, default=0.6, help="of the teams' executors")
    add("--questions", type=int, default=200, help="the same for every arm")
    add("--dataset", default="gsm8k", help="a name, a file, or an id of the hub")
    add("--split", default="train", help="part of the data set; never the one that is reported on")
    add("--data-path", type=Path, help="where the rows of a public data set lie on this machine")
    add("--seed", type=int, default=0, help="which questions, and every chance in them")
    add("--in-flight", type=int, default=64, help="questions that are played side by side")
    add("--cache-path", type=Path, default=Path("runs", "prompts.sqlite"), help="completions")
    add("--out", type=Path, default=RESULTS / "prompts.json", help="file of the results")
    return parser
