"""Measure what temperature and repetition penalty do to a model's answers.

    python -m benchmarks.sampling --llm local:qwen2.5-coder-0.5b
    python -m benchmarks.sampling --llm local:qwen2.5-coder-1.5b --out sampling_1.5b.json

The model answers the same rows of the *training* split of GSM8K at every
temperature, and at every penalty with one of them, several times each: the
table and the picture have the accuracy of one answer and of their vote. A
question with a failed request is left out of that setting.
Completions are kept in --cache-path and measured settings in --out: repeat an
interrupted command to continue, and add settings at any time.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison.chosen_questions import choose_questions, sha256_of
from benchmarks.learning.results import RESULTS, ResultFile
from benchmarks.sampling.measuring import Study, measure, name_of
from benchmarks.sampling.picture import draw
from benchmarks.sampling.table import rows_of, table_lines
from econ_console.program import run_program
from econ_env.config import EnvConfig
from econ_env.errors import UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the missing settings, print the table, draw the picture; return the exit code."""
    chosen = _parser().parse_args(arguments)
    return run_program(
        "benchmarks.sampling",
        lambda: _run(chosen),
        interrupted=f"interrupted; completions are kept in {chosen.cache_path}. Repeat the command "
        "to continue",
    )


def _run(chosen: argparse.Namespace) -> int:
    study = _study(chosen)
    questions = choose_questions(study.config, study.questions)
    names = ("dataset", "split", "questions", "samples", "seed")
    settings = {"llm": chosen.llm, **{name: getattr(chosen, name) for name in names}}
    settings["questions_sha256"] = sha256_of(questions)
    file = ResultFile(chosen.out, settings, libraries=("transformers",), fresh=chosen.fresh)
    missing = [each for each in study.settings() if name_of(each) not in file.parts()]
    for setting, counts in measure(study, questions, missing) if missing else ():
        file.put(
            name_of(setting),
            {
                "temperature": setting.temperature,
                "repetition_penalty": setting.repetition_penalty,
                **counts,
            },
        )
    for line in table_lines(file.parts()):
        print(line)
    title = f"{chosen.llm}: {len(questions)} questions of {chosen.dataset}, split {chosen.split}"
    picture = draw(title, rows_of(file.parts()), chosen.out.with_suffix(".svg"))
    print(f"written to {chosen.out} and {picture}")
    return 0


def _study(chosen: argparse.Namespace) -> Study:
    """Return the study that the flags describe.

    Raises:
        UsageError: a flag is not valid.
    """
    try:
        config = EnvConfig(
            dataset=chosen.dataset,
            llm=chosen.llm,
            n_agents=1,
            embedder="hashing",
            split=chosen.split,
            data_path=chosen.data_path,
            seed=chosen.seed,
            cache="read_write",
            cache_path=chosen.cache_path,
        )
        return Study(
            config=config,
            questions=chosen.questions,
            samples=chosen.samples,
            temperatures=tuple(chosen.temperatures),
            repetition_penalties=tuple(chosen.penalties),
            at_temperature=chosen.at_temperature,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sampling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--llm", default="local:qwen2.5-coder-0.5b", help="the model that answers")
    add(
        "--temperatures",
        type=float,
        nargs="+",
        default=[0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2],
        help="temperatures, with a repetition penalty of 1",
    )
    add(
        "--penalties",
        type=float,
        nargs="*",
        default=[0.9, 1.1, 1.2],
        help="repetition penalties, at one temperature",
    )
    add("--at-temperature", type=float, default=0.6, help="temperature of the penalties")
    add("--samples", type=int, default=3, help="answers to a question at each setting above T = 0")
    add("--questions", type=int, default=60, help="number of questions, equal for all settings")
    add("--dataset", default="gsm8k", help="name of a data set, a file, or an id of the hub")
    add("--split", default="train", help="split of the data set; not the one of reported results")
    add("--data-path", type=Path, help="local file or folder with the rows of a public data set")
    add("--seed", type=int, default=0, help="seed of the choice of questions and of all sampling")
    add("--cache-path", type=Path, default=Path("runs", "sampling.sqlite"), help="cache file")
    add("--out", type=Path, default=RESULTS / "sampling.json", help="file of the results")
    add("--fresh", action="store_true", help="delete existing results first")
    return parser
