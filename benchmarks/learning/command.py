"""Measure what ECON learns: figures over several seeds, each with its interval.

    python -m benchmarks.learning simulated            # exact, on the simulator
    python -m benchmarks.learning bundled              # bundled language models
    python -m benchmarks.learning bundled --seeds 0 1  # a share of the seeds
    python -m benchmarks.learning bundled_nash         # their NashConv
    python -m benchmarks.learning mpe                  # mpe2's simple_spread
    python -m benchmarks.learning early_stopping       # where it would end a run
    python -m benchmarks.learning update               # time of an update
    python -m benchmarks.learning simulated --episodes 500 --out /tmp/x.json

Hyperparameters are those of the presets in econ_agents/config/presets. Results
go to benchmarks/results/learning_<what>.json after every finished part.
Finished parts are skipped, so an interrupted benchmark continues when repeated,
and several processes may share a file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.learning.bundled import measure_bundled
from benchmarks.learning.bundled_nash import measure_bundled_nash
from benchmarks.learning.early_stopping import measure_early_stopping
from benchmarks.learning.mpe import measure_mpe
from benchmarks.learning.results import RESULTS, WORK, Result
from benchmarks.learning.simulated import measure_simulated
from benchmarks.learning.update import measure_update
from econ_console.program import run_program


def simulated(chosen: argparse.Namespace) -> Result:
    """Measure ECON on the simulator."""
    return measure_simulated(
        seeds=chosen.seeds,
        episodes=chosen.episodes,
        sampled_questions=chosen.sampled_questions,
        work=chosen.work,
        out=chosen.out,
    )


def bundled(chosen: argparse.Namespace) -> Result:
    """Measure ECON on the bundled language models."""
    return measure_bundled(
        seeds=chosen.seeds,
        questions=chosen.questions,
        references=chosen.references,
        assignments=chosen.set,
        work=chosen.work,
        out=chosen.out,
        fresh=chosen.fresh,
    )


def bundled_nash(chosen: argparse.Namespace) -> Result:
    """Measure NashConv of the teams of "bundled", before and after training."""
    return measure_bundled_nash(
        seeds=chosen.seeds, questions=chosen.questions, work=chosen.work, out=chosen.out
    )


def mpe(chosen: argparse.Namespace) -> Result:
    """Measure ECON on mpe2's simple_spread."""
    return measure_mpe(
        seeds=chosen.seeds, episodes=chosen.episodes, assignments=chosen.set, out=chosen.out
    )


def early_stopping(chosen: argparse.Namespace) -> Result:
    """Show where early stopping ends a run on the simulator, and what it misses."""
    return measure_early_stopping(work=chosen.work, out=chosen.out)


def update(chosen: argparse.Namespace) -> Result:
    """Measure the time of an update, against a loop over the executors."""
    return measure_update(repeats=chosen.repeats, episodes=chosen.episodes, out=chosen.out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the file and print the summary; return the exit code."""
    chosen = _parser().parse_args(arguments)
    torch.set_num_threads(1)  # networks this small are slower on several
    chosen.out = chosen.out or RESULTS / f"learning_{chosen.what}.json"
    return run_program(
        f"benchmarks.learning {chosen.what}",
        lambda: _measure(chosen),
        interrupted=f"interrupted; {chosen.out} has the finished parts. Repeat to continue",
    )


def _measure(chosen: argparse.Namespace) -> int:
    if chosen.fresh:
        chosen.out.unlink(missing_ok=True)
    measure: Callable[[argparse.Namespace], Result] = chosen.measure
    summary = measure(chosen)
    print(json.dumps(summary, indent=1))
    print(f"written to {chosen.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="what", required=True)

    def part(name: str, measure: Callable[[argparse.Namespace], Result]) -> argparse.ArgumentParser:
        found = parts.add_parser(name, help=measure.__doc__)
        found.set_defaults(measure=measure)
        found.add_argument("--out", type=Path, help="file of the results")
        found.add_argument(
            "--fresh",
            action="store_true",
            help="delete existing results first; give it to the first process only",
        )
        return found

    def add_seeds(found: argparse.ArgumentParser) -> None:
        found.add_argument(
            "--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4], help="seeds, one run for each"
        )

    def add_set(found: argparse.ArgumentParser) -> None:
        found.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="override the preset"
        )

    found = part("simulated", simulated)
    add_seeds(found)
    found.add_argument("--episodes", type=int, default=1500, help="training episodes")
    found.add_argument(
        "--sampled-questions",
        type=int,
        default=1000,
        help="questions of the sampled NashConv; 0 skips it",
    )
    found.add_argument("--work", type=Path, default=WORK, help="folder of the trained teams")
    found = part("bundled", bundled)
    add_seeds(found)
    found.add_argument("--questions", type=int, default=500, help="number of unseen test questions")
    found.add_argument(
        "--references",
        choices=["with", "without", "only"],
        default="with",
        help="untrained policy and best fixed action: beside the seeds, not at all, or alone",
    )
    add_set(found)
    found.add_argument("--work", type=Path, default=WORK, help="folder of the runs")
    found = part("bundled_nash", bundled_nash)
    found.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="seeds of the runs")
    found.add_argument("--questions", type=int, default=80, help="questions for every deviation")
    found.add_argument("--work", type=Path, default=WORK, help="folder of the runs of bundled")
    found = part("mpe", mpe)
    add_seeds(found)
    found.add_argument("--episodes", type=int, default=100, help="test episodes of each policy")
    add_set(found)
    found = part("early_stopping", early_stopping)
    found.add_argument("--work", type=Path, default=WORK, help="folder of the run")
    found = part("update", update)
    found.add_argument("--repeats", type=int, default=50, help="timed updates; the fastest counts")
    found.add_argument(
        "--episodes",
        type=int,
        nargs=2,
        default=[300, 100],
        help='episodes of the short runs of "simulated" and of "quickstart"',
    )
    return parser
