"""Evaluation of a trained team: one round against several, on the same held-out questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from torch import Tensor

from econ_agents.algorithm.builders import (
    build_networks,
    build_policy,
    build_teams,
    build_weighting,
)
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.question_order import question_order
from econ_agents.algorithm.rollout import Override
from econ_agents.config.files import config_mapping
from econ_agents.config.schema import Config
from econ_agents.config.shared_questions import shared_questions
from econ_agents.environments import Teams, TeamSpace
from econ_agents.environments.failure_causes import FailureCauses
from econ_agents.evaluation.before_and_after import Learned, what_was_learned
from econ_agents.evaluation.report import (
    ONE_ROUND,
    REFINED,
    TRAINED_ONE_ROUND,
    TRAINED_REFINED,
    EvaluationReport,
    compare,
)
from econ_agents.logging.progress import opened_progress
from econ_agents.networks import TeamNetworks
from econ_agents.rollouts.base import LocalRollouts, Rollouts, Trace
from econ_agents.rollouts.placement import Placement
from econ_agents.seeds import derive_seed
from econ_agents.training.checkpoint import load_checkpoint
from econ_agents.training.checkpoint_state import (
    check_numbers,
    check_shapes,
    check_sizes,
    restore_weighting,
    restoring,
)
from econ_agents.training.inspection import nothing_learned, saved_config
from econ_files.durable import replace_file
from econ_files.private import make_private_folder

Traces = list[dict[str, Any]]
HERE = Placement()
"""Episodes are played in this process."""
_NOT_COMPARED = (
    "the untrained team is not compared: fewer than two questions came to a result in both arms"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class PlayedArm:
    """All questions of an evaluation, played in one arm (one round, or with refinement)."""

    episodes: list[Episode]
    traces: Traces
    """Records of the environment, one per episode in their order; [] if it keeps none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Evaluation of a trained team: the report, and the episodes it is computed from."""

    report: EvaluationReport
    learned: Learned | None
    """Comparison with the untrained team; None unless ``test.untrained`` is on."""
    baseline: PlayedArm
    bne: PlayedArm
    """Arm with refinement; the baseline itself if there is no refinement."""
    notes: tuple[str, ...]
    """Warnings about what the numbers do not say: repeated questions, questions of the training,
    and a team that was never updated."""
    causes: FailureCauses
    """Causes of the episodes that failed in either arm."""


def run_evaluation(
    config: Config, checkpoint: Path, log_dir: Path, placement: Placement = HERE
) -> int:
    """Evaluate a checkpoint, print the report and write it with its traces; the exit code is 0.

    Args:
        config: configuration of the checkpoint, with changes; its phase "test" is played.
        checkpoint: folder of the trained team.
        log_dir: folder for the report and, for each arm, the traces: what models were asked and
            said, and how it was judged, in ``llm_traces_test_bne_<rounds>rounds.json``.
        placement: where episodes are played.

    Raises:
        CheckpointError: the checkpoint is damaged, or its networks do not fit the environment.
        TooFewResults: almost no episode came to a result.
    """
    # Before anything is played: a folder that cannot be made costs no test.
    make_private_folder(log_dir)
    rounds = config.bne_rounds("test")
    evaluation = evaluate_team(config, checkpoint, placement)
    report, learned = evaluation.report, evaluation.learned
    for line in [*report.lines(), *(learned.lines() if learned is not None else ())]:
        print(line)
    for note in evaluation.notes:
        print(f"note: {note}")
    for line in evaluation.causes.lines():
        print(f"failed: {line}")
    path = report.save(log_dir, learned=None if learned is None else asdict(learned))
    print(f"report: {path}")
    for old in log_dir.glob(trace_file("*")):
        old.unlink()  # games of an earlier test, in other rounds
    for most, arm in {1: evaluation.baseline, rounds: evaluation.bne}.items():
        if arm.traces:
            path = log_dir / trace_file(most)
            text = json.dumps(arm.traces, ensure_ascii=False, indent=1)
            replace_file(path, text.encode())
            print(f"traces: {path}")
    return 0


def trace_file(rounds: int | str) -> str:
    """Return the name of the file with the traces of a test with up to ``rounds`` rounds."""
    return f"llm_traces_test_bne_{rounds}rounds.json"


def evaluate_team(config: Config, checkpoint: Path, placement: Placement = HERE) -> Evaluation:
    """Play ``test.episodes`` held-out questions in one round each, and again with refinement.

    No question comes twice before all were played. If refinement is off or has one round, they are
    played once, as the baseline. Of a team that was never updated nothing is compared: its arms are
    equal by construction.

    Raises:
        CheckpointError: the checkpoint is damaged, or its networks do not fit the environment.
        TooFewResults: almost no episode came to a result.
    """
    seeds = [derive_seed(config.seed, "test", k) for k in range(config.test.episodes)]
    rounds = config.bne_rounds("test")
    arms: dict[bool, PlayedArm] = {}
    learned: Learned | None = None
    notes: dict[str, None] = {}
    untouched = nothing_learned(config, load_checkpoint(checkpoint))
    if untouched is not None:
        notes[untouched] = None
    causes = FailureCauses()
    for bne in (False, True) if rounds > 1 else (True,):
        teams = build_teams(config, "test", bne=bne)
        rollouts: Rollouts | None = None
        try:
            rollouts = placement.open(config, "test", teams, bne=bne)
            networks = load_networks(config, checkpoint, teams.space)
            options = live_options(config, checkpoint)
            order = question_order(teams, len(seeds), seed=config.seed, purpose="test")
            same = None if order.numbers is None else shared_questions(config)
            notes |= {note: None for note in (order.note, same) if note is not None}
            traces: Traces = []
            arm = REFINED if rounds > 1 and bne else ONE_ROUND
            episodes = play_questions(
                config,
                networks,
                teams,
                seeds,
                description=TRAINED_REFINED if bne and rounds > 1 else TRAINED_ONE_ROUND,
                options=options,
                questions=order.numbers,
                traces=traces,
                causes=causes,
                rollouts=rollouts,
            )
            labelled = [{"arm": arm, **trace} for trace in traces]
            arms[bne] = PlayedArm(episodes=episodes, traces=labelled)
            is_first = bne == (rounds <= 1)
            if config.test.untrained and is_first and untouched is None:
                # The seed of the training gives the networks that it began with.
                begun = replace(config, seed=saved_config(checkpoint).seed)
                before = build_networks(begun, teams.space).eval()
                untrained = play_questions(
                    config,
                    before,
                    teams,
                    seeds,
                    description="untrained team, one round",
                    options=options,
                    questions=order.numbers,
                    rollouts=rollouts,
                )
                learned = what_was_learned(untrained, episodes, teams.space, seed=config.seed)
                if learned is None:
                    notes[_NOT_COMPARED] = None
        finally:
            if rollouts is not None:
                rollouts.close()
            teams.close()
    baseline, refined = arms.get(False, arms[True]), arms[True]
    report = compare(baseline.episodes, refined.episodes, rounds=rounds, seed=config.seed)
    if untouched is not None:
        report = replace(report, difference=None, right_to_wrong=None, wrong_to_right=None)
    return Evaluation(
        report=report,
        learned=learned,
        baseline=baseline,
        bne=refined,
        notes=tuple(notes),
        causes=causes,
    )


def play_questions(
    config: Config,
    networks: TeamNetworks,
    teams: Teams,
    seeds: Sequence[int],
    *,
    description: str,
    override: Override | None = None,
    options: Mapping[str, Any] | None = None,
    questions: Sequence[int] | None = None,
    traces: Traces | None = None,
    causes: FailureCauses | None = None,
    rollouts: Rollouts | None = None,
) -> list[Episode]:
    """Play one episode per seed without exploration, starting from an empty memory.

    Args:
        config: the configuration; its phase "test" is played.
        networks: networks of the team.
        teams: the environment.
        seeds: seeds of the episodes.
        description: text of the progress display.
        override: replaces the policy's actions, for example by those of another policy.
        options: options of every reset.
        questions: number of the question of every seed; None leaves the choice to the seeds.
        traces: list to which the environment's records are appended; None does not ask for them.
        causes: counts the failed episodes by cause; None does not count them.
        rollouts: plays the episodes, without ``override``. None: in ``teams``.
    """
    if rollouts is not None and override is not None:
        raise ValueError("other policies are played in this process only")
    policy = build_policy(config, networks, teams.space, "test")
    unit = "episode" if questions is None else "question"
    with opened_progress(description=description, total=len(seeds), unit=unit) as progress:
        finished = count(1)  # episodes may end in any order

        def observe(episode: Episode, record: Callable[[], Trace]) -> None:
            progress.update(next(finished), {})
            trace = None if traces is None and not episode.failed else record()
            if causes is not None and episode.failed:
                causes.note(trace)
            if traces is not None and trace is not None:
                # Number and seed stand beside the transcript, whose keys are the environment's.
                traces.append({"number": episode.number, "seed": episode.seed, "transcript": trace})

        return (rollouts or LocalRollouts(teams=teams, exploration=override)).play(
            policy,
            seeds,
            explore=override is not None,
            options=options,
            questions=questions,
            observe=observe,
            traces=traces is not None,
        )


def load_networks(config: Config, checkpoint: Path, space: TeamSpace) -> TeamNetworks:
    """Load the trained networks, ready to act.

    The mixer is left untrained. It is not needed to act, and its shape may depend, through the
    state, on the number of executors: without it, a team whose executors share their parameters can
    be evaluated at another size.

    Raises:
        CheckpointError: the checkpoint is damaged, or its networks have other shapes.
    """
    saved = load_checkpoint(checkpoint)
    with restoring(saved, "networks.safetensors"):
        acting = acting_parameters(saved.group("networks"))
        check_sizes(config, space, acting, saved.config)
        networks = build_networks(config, space)
        expected = acting_parameters(networks.state_dict())
        mapping = config_mapping(config)
        check_shapes(acting, expected, saved_config=saved.config, config=mapping)
        check_numbers(acting, expected)
        networks.load_state_dict(acting, strict=False)
    return networks.eval()


def acting_parameters(parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters of a team that are needed to act: all but those of the mixer."""
    return {name: value for name, value in parameters.items() if not name.startswith("mixer.")}


def live_options(config: Config, checkpoint: Path) -> dict[str, Any] | None:
    """Options of every reset: the reward weights that training ended with; None if not learned.

    ``reward.initial_weights`` that are not those of the training run override the learned ones.
    """
    if not config.reward.dynamic:
        return None
    saved = load_checkpoint(checkpoint)
    initial = config.reward.initial_weights
    with restoring(saved, "state.json"):
        learned_from = saved.config["reward"]["initial_weights"]
    if config_mapping(initial) != learned_from:
        return {"reward_weights": initial.start()}
    weighting = build_weighting(config)
    with restoring(saved, "weighting.safetensors"):
        restore_weighting(weighting, saved.group("weighting"))
    return {"reward_weights": weighting.as_options()}
