"""The command ``compare.py``: read flags, run the comparison, print tables or an error message."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from benchmarks.comparison.building import Workshop
from benchmarks.comparison.chosen_questions import choose_questions
from benchmarks.comparison.dry_run import dry_run_lines
from benchmarks.comparison.findings import About, Comparison
from benchmarks.comparison.flag_file import read_flags
from benchmarks.comparison.flags import Compare
from benchmarks.comparison.output import write_comparison
from benchmarks.comparison.paper import PaperSetting, paper_table_lines
from benchmarks.comparison.report import summarise
from benchmarks.comparison.run import Build, Plan, Run
from benchmarks.comparison.settings import SettingsFile, what_answers_depend_on
from benchmarks.comparison.store import RECORDS_FILE, RecordStore
from benchmarks.comparison.table import table_lines
from benchmarks.comparison.workers import SpreadMethods, steering_with
from econ_agents.config.environment import EnvSettings
from econ_agents.config.environment_kwargs import environment_kwargs
from econ_agents.config.shared_questions import single_file
from econ_agents.rollouts.errors import ClusterError, WorkerError
from econ_agents.training.checkpoint import CheckpointError, load_checkpoint
from econ_agents.training.inspection import nothing_learned, saved_config
from econ_agents.training.run_folder import claimed
from econ_console.program import run_program
from econ_env.commands.flags import with_flags
from econ_env.config import EnvConfig
from econ_env.errors import UsageError
from econ_env.game.failures import failure_lines
from econ_env.llm.api.address import names_a_server, parse_address
from econ_env.llm.api.errors import KeyProblem
from econ_env.llm.api.server_key import check_keys
from econ_env.llm.models import Models
from econ_env.llm.types import ModelError

PROG = "compare.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0 after success; 1 if every question failed, or if a model could no longer be used, reported
    after the tables of the results so far; 2 after a mistake of the user; 130 after Ctrl-C.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    """
    arguments = sys.argv[1:] if argv is None else argv
    return run_program(PROG, lambda: compare(read_flags(arguments, prog=PROG)))


def compare(flags: Compare) -> int:
    """Run what the flags ask for; exit codes as in :func:`main`, but user mistakes are raised."""
    config = flags.env_config()
    entries = flags.entries()
    target = flags.target(entries)
    flags.primary_contrast(entries)
    flags.paper_setting()
    flags.placement().check()
    if flags.dry_run:
        checkpoints = {}
    else:
        checkpoints = flags.checkpoints(entries)
        if flags.cache != "replay":
            _check_keys(config)
    questions = choose_questions(config, flags.questions, skip=flags.skip_questions)
    if len(questions) < flags.questions:
        there = flags.skip_questions + len(questions)
        print(f"the data set has only {there} questions", file=sys.stderr)
    for note in notes(flags, config, checkpoints):
        print(f"{PROG}: note: {note}", file=sys.stderr)
    plan = Plan(
        entries=entries,
        seeds=tuple(dict.fromkeys(flags.seeds)),
        questions=questions,
        in_flight=min(flags.in_flight, len(questions)),
        max_failures_in_a_row=config.max_failures_in_a_row,
        target=target,
        tuning=flags.tuning(config, questions),
    )
    if flags.dry_run:
        print("\n".join(dry_run_lines(plan, config)))
        return 0
    return _play(flags, plan, config, checkpoints)


def notes(flags: Compare, config: EnvConfig, checkpoints: Mapping[int, Path]) -> Iterator[str]:
    """Yield notes on settings that are valid but may not mean what the user thinks."""
    if len(checkpoints) > len(set(checkpoints.values())):
        yield (
            "several seeds play the same trained team, since --model-dir has no {seed} in it: "
            "they do not show how much one training differs from another"
        )
    if any(_trained_on_these(config, checkpoint) for checkpoint in set(checkpoints.values())):
        yield (
            "the team of --model-dir was trained on the questions that are compared: its accuracy "
            "says how well it knows them, not how it answers new ones. Name another --split or file"
        )
    for checkpoint in dict.fromkeys(checkpoints.values()):
        unlearned = _unlearned(checkpoint)
        if unlearned is not None:
            yield f"{checkpoint}: {unlearned}: econ plays as econ_untrained"
    sampling = [
        name
        for name in dict.fromkeys(config.team().executors)
        if names_a_server(name) and parse_address(name).profile.max_choices > 1
    ]
    if flags.cache == "read_write" and sampling:
        yield (
            f"--cache read_write reuses samples of {', '.join(sampling)} across methods. A method "
            "that needs more of them asks for the rest in another request, which reads the prompt "
            "once more: so token counts depend on what was asked before, and samples look more "
            "expensive than they are. To compare tokens, leave the cache off: results are kept "
            "without it"
        )


def _unlearned(checkpoint: Path) -> str | None:
    """Return what is to be said of a team whose networks were never updated; None of another."""
    try:
        return nothing_learned(saved_config(checkpoint), load_checkpoint(checkpoint))
    except CheckpointError:  # which is told once the team is played
        return None


def _trained_on_these(config: EnvConfig, checkpoint: Path) -> bool:
    """Return True if a team was trained on the rows that are compared, as far as settings tell."""
    try:
        saved = saved_config(checkpoint)
    except CheckpointError:  # which is told once the team is played
        return False
    if saved.env.factory != EnvSettings.factory:
        return False
    trained = environment_kwargs(saved, "train")
    names = ["dataset", "data_path", "subset"]
    if single_file({"dataset": config.dataset, "data_path": config.data_path}) is None:
        names.append("split")
    return all(
        trained.get(name, getattr(EnvConfig, name)) == getattr(config, name) for name in names
    )


def _check_keys(config: EnvConfig) -> None:
    """Raise ``UsageError`` if the key of a server is missing, before anything is read."""
    try:
        check_keys(config.team().names)
    except KeyProblem as error:
        raise UsageError(
            f"{error}. Without a key, --llm bundled compares with the models of this package, and "
            "--dry-run says what this comparison would cost"
        ) from error


@dataclass(frozen=True, kw_only=True)
class _Training:
    """Facts about the training of a compared team, read before anything is asked."""

    checksum: str
    episodes: int
    updates: int

    @classmethod
    def of(cls, path: Path) -> Self:
        saved = load_checkpoint(path)
        return cls(
            checksum=saved.checksum,
            episodes=saved.count("episodes"),
            updates=saved.count("updates"),
        )


def _play(flags: Compare, plan: Plan, config: EnvConfig, checkpoints: dict[int, Path]) -> int:
    """Answer what is missing and report; see :func:`compare`."""
    folder = flags.folder()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(claimed(folder))
        trainings = {seed: _Training.of(path) for seed, path in checkpoints.items()}
        settings = SettingsFile(
            folder,
            what_answers_depend_on(config, plan.questions) | _named_before(flags, plan),
            {seed: training.checksum for seed, training in trainings.items()},
        )
        records = RecordStore(folder / RECORDS_FILE)
        models = stack.enter_context(closing(config.models()))
        steering = partial(steering_with, checkpoints)
        workshop = Workshop(config, models, steering=steering, in_flight=plan.in_flight)
        build: Build = workshop.method
        if flags.rollout == "ray":
            spread = SpreadMethods(flags.placement(), config, checkpoints, plan.in_flight)
            build = stack.enter_context(closing(spread)).method
        run = Run(plan, build, records, settings, print, in_flight=models.in_flight)
        stopped: Exception | None = None
        try:
            workshop.check([plan.first_setting(entry) for entry in plan.entries], plan.seeds)
            run.play()
        except KeyboardInterrupt:
            print(
                f"{PROG}: interrupted; the results so far are kept in {folder}. Repeat the command "
                "to continue",
                file=sys.stderr,
            )
            return 130
        except (ModelError, ClusterError, WorkerError) as error:
            stopped = error
        results = run.results()
        if results:
            about = _about(flags, config, plan, run, list(trainings.values()))
            _report(summarise(results, about), flags.paper_setting(), folder)
        reasons = [record.failed for record in results if record.failed is not None]
        for line in failure_lines(reasons):
            print(f"failed: {line}")
        _print_spending(flags, models)
    if stopped is None:
        return 1 if reasons and len(reasons) == len(results) else 0
    print(
        f"{PROG}: {with_flags(str(stopped))}\n{len(results)} results are kept in {folder}. "
        "Repeat the command to continue",
        file=sys.stderr,
    )
    return 1


def _named_before(flags: Compare, plan: Plan) -> dict[str, Any]:
    """Return the settings of a folder that cannot be changed once there are results.

    These are the primary contrast, and the questions and the grid of the tuning, whose choices are
    kept.
    """
    primary = {} if flags.primary is None else {"primary": list(flags.primary)}
    return primary | ({} if plan.tuning is None else {"tuning": plan.tuning.to_json()})


def _about(
    flags: Compare, config: EnvConfig, plan: Plan, run: Run, trainings: Sequence[_Training]
) -> About:
    contrast = flags.primary_contrast(plan.entries)
    primary = None
    if contrast is not None:
        ours, theirs = (run.as_played(spec).canonical for spec in contrast)
        primary = ours, theirs
    return About(
        dataset=flags.dataset,
        llm=flags.team_name(),
        methods=tuple(spec.canonical for spec in run.specs),
        questions=len(plan.questions),
        seeds=plan.seeds,
        budget_target=None if run.target is None else run.target.canonical,
        budget_matched=tuple(spec.canonical for spec in run.matched),
        primary=primary,
        split=flags.split,
        skip_questions=flags.skip_questions,
        margin=flags.margin / 100,
        tuned=run.tuned,
        trained_episodes=tuple(training.episodes for training in trainings),
        all_learned=all(training.updates for training in trainings),
        executors=len(config.team().executors),
        with_strategy=config.resolved_strategy(),
    )


def _report(comparison: Comparison, paper: PaperSetting | None, folder: Path) -> None:
    print("\n".join(table_lines(comparison)))
    if paper is not None:
        print("\n".join(["", *paper_table_lines(comparison, paper)]))
    for path in write_comparison(comparison, folder):
        print(f"written: {path}")


def _print_spending(flags: Compare, models: Models) -> None:
    """Print what this run spent, if a cache or a budget is in use, and this process asked."""
    limits = (flags.max_requests, flags.max_total_tokens, flags.max_cost_usd)
    if flags.rollout == "ray":
        return
    if flags.cache == "off" and limits == (None, None, None):
        return
    spent, kept = models.spending, models.usage_from_cache
    cost = "" if flags.max_cost_usd is None else f", ${spent.cost_usd:.4f}"
    print(f"asked now: {spent.requests} requests, {spent.tokens} tokens{cost}")
    if flags.cache != "off":
        print(f"from the cache: {kept.requests} requests, {kept.total_tokens} tokens")
