"""Measure ECON on the bundled models: trained, untrained, and the best fixed action.

All policies answer the same unseen test questions under the same seeds. The best fixed action is
one pair (T, p) for all executors, chosen on validation questions only.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.errors import SettingsDiffer
from benchmarks.learning.answers import accuracy_difference, describe_answers
from benchmarks.learning.results import Result, ResultFile, over_seeds
from econ_agents.algorithm.builders import build_networks, build_teams
from econ_agents.algorithm.episode import Episode
from econ_agents.config.files import CONFIG_FILE, config_mapping, read_config
from econ_agents.config.schema import Config
from econ_agents.environments import Teams
from econ_agents.evaluation.evaluate import live_options, load_networks, play_questions
from econ_agents.evaluation.report import compare
from econ_agents.seeds import derive_seed
from econ_agents.training.checkpoint import FINAL
from econ_agents.training.train import resume_training, run_training

PRESET = "quickstart"
FULL_LENGTH = ("train.episodes=1500", "train.exploration_decay_episodes=700")
"""Overrides of the preset for a full-length training; the preset itself ends in minutes."""
VALIDATION = "validation"
"""Split on which fixed actions are chosen."""
TEMPERATURES = (-1.0, -0.8, -0.6, -0.4, -0.2)
PENALTIES = (-0.8, -0.4, 0.0, 0.4)
"""Grid of fixed actions, in units of the box [-1, 1]. Small models answer best at low temperature:
an earlier grid over the whole box found 15% accuracy instead of 65% at high temperature."""
SCREENED_QUESTIONS = 150
"""Validation questions on which the whole grid is played."""
FINALISTS = 3
FINAL_QUESTIONS = 400
"""Further validation questions, on which the best actions of the grid are compared."""
IN_FLIGHT = 50
"""Number of questions answered at the same time; results do not depend on it."""
GAIN = 0.05
BELOW_FIXED = 0.01
"""Promised accuracy: least gain over the untrained policy, and largest shortfall of the trained
policy against the best fixed action."""


def measure_bundled(
    *,
    seeds: Sequence[int],
    questions: int,
    references: str,
    assignments: Sequence[str],
    work: Path,
    out: Path,
    fresh: bool = False,
    grid: Sequence[tuple[float, float]] = tuple(product(TEMPERATURES, PENALTIES)),
    screened: int = SCREENED_QUESTIONS,
    final: int = FINAL_QUESTIONS,
) -> Result:
    """Measure all parts that are not finished; return the summary of all parts.

    Args:
        seeds: seeds of the training runs.
        questions: number of unseen test questions.
        references: "with" the untrained policy and the best fixed action, "without", or "only".
        assignments: overrides of the preset, ``KEY=VALUE``.
        work: folder of the runs; an existing run continues.
        out: file of the results.
        fresh: restart the runs of these seeds.
        grid: fixed actions (T, p) in [-1, 1].
        screened: number of validation questions for the whole grid.
        final: number of further validation questions for its best actions.
    """
    config = read_config(PRESET, [*FULL_LENGTH, *assignments])
    settings = {
        "config": config_mapping(config),
        "questions": questions,
        "grid": [list(point) for point in grid],
        "validation_questions": [screened, final],
    }
    file = ResultFile(out, settings, libraries=["transformers", "tokenizers"])
    if references != "only":
        _estimate(
            config, len([seed for seed in seeds if _name(seed) not in file.parts()]), questions
        )
        for seed in seeds:
            if _name(seed) in file.parts():
                print(f"{_name(seed)}: finished before")
                continue
            own = replace(config, seed=seed)
            file.put(_name(seed), _one_seed(own, questions, work / f"bundled_{seed}", fresh))
            file.summarise(summarise(file.parts()))
    if references != "without":
        _references(config, file, questions, list(grid), screened, final)
    summary = summarise(file.parts())
    file.summarise(summary)
    return summary


def _name(seed: int) -> str:
    return f"seed {seed}"


def _one_seed(config: Config, questions: int, folder: Path, fresh: bool) -> Result:
    """Train a team, and test it without and with refinement."""
    if fresh and folder.exists():
        shutil.rmtree(folder)
    start = time.monotonic()
    checkpoint = _trained(config, folder)
    trained_in = time.monotonic() - start
    episodes: dict[bool, list[Episode]] = {}
    seeds = unseen_seeds(questions)
    for bne in (False, True):
        wide = _wide(config)
        teams = build_teams(wide, "test", bne=bne)
        try:
            networks = load_networks(wide, checkpoint, teams.space)
            options = live_options(wide, checkpoint)
            what = f"{_name(config.seed)}, {'refined' if bne else 'one round'}"
            episodes[bne] = play_questions(
                wide, networks, teams, seeds, description=what, options=options
            )
        finally:
            teams.close()
    report = compare(episodes[False], episodes[True], rounds=config.bne_rounds("test"), seed=0)
    one_round = describe_answers(episodes[False])
    print(
        f"{_name(config.seed)}: accuracy {one_round['accuracy']:.3f} in one round, "
        f"{describe_answers(episodes[True])['accuracy']:.3f} refined",
        flush=True,
    )
    return {
        "one_round": one_round,
        "bne": describe_answers(episodes[True]),
        "bne_report": asdict(report),
        "mean_actions": _mean_actions(episodes[False]),
        "training_seconds_in_this_process": trained_in,
    }


def _trained(config: Config, folder: Path) -> Path:
    """Return the final checkpoint of the run in ``folder``; start or continue the run if needed."""
    logging = replace(
        config.logging, log_dir=str(folder), tensorboard=False, plots=False, model_dir=None
    )
    config = replace(config, logging=logging)
    final = config.model_dir / FINAL
    if not (folder / CONFIG_FILE).exists():
        code = run_training(config, folder)
    elif read_config(folder / CONFIG_FILE) != config:
        raise SettingsDiffer(
            f"{folder} holds a run with other settings: restart it with --fresh, or choose another "
            "folder with --work"
        )
    elif final.exists():
        return final
    else:
        code = resume_training(folder)
    if code == 130:
        raise KeyboardInterrupt
    return final


def _references(
    config: Config,
    file: ResultFile,
    questions: int,
    grid: list[tuple[float, float]],
    screened: int,
    final: int,
) -> None:
    """Test the untrained policy, and the fixed action that is best on validation questions."""
    if "untrained" not in file.parts():
        file.put("untrained", _fixed(config, "test", (0.0, 0.0), unseen_seeds(questions)))
    seeds = [derive_seed("learning benchmark", "validation", k) for k in range(screened + final)]
    first = _search(config, file, "fixed, screening", grid, seeds[:screened])
    best = sorted(grid, key=lambda point: -first[_key(point)])[:FINALISTS]
    second = _search(config, file, "fixed, final", best, seeds[screened:])
    chosen = max(best, key=lambda point: second[_key(point)])
    if "fixed, test" not in file.parts():
        found = _fixed(config, "test", chosen, unseen_seeds(questions))
        file.put("fixed, test", {"action": list(chosen), **found})


def _search(
    config: Config,
    file: ResultFile,
    name: str,
    points: Sequence[tuple[float, float]],
    seeds: Sequence[int],
) -> dict[str, float]:
    """Return the validation accuracy of fixed actions; store it after each of them."""
    found: dict[str, float] = dict(file.parts().get(name, {}).get("accuracy", {}))
    for point in points:
        if _key(point) in found:
            continue
        found[_key(point)] = _fixed(config, VALIDATION, point, seeds)["accuracy"]
        file.put(name, {"questions": len(seeds), "accuracy": found})
        print(f"{name}: (T, p) = {_key(point)} in the box: {found[_key(point)]:.3f}", flush=True)
    return found


def _fixed(config: Config, split: str, action: tuple[float, float], seeds: Sequence[int]) -> Result:
    """Play one action for all executors and questions, one round per decision."""
    env = replace(config.env, test_kwargs={**config.env.test_kwargs, "split": split})
    wide = replace(_wide(config), env=env)
    teams: Teams = build_teams(wide, "test", bne=False)
    constant = np.array(action, dtype=np.float32)

    def fixed(actions: Any, episode: int, step: int) -> Any:
        return np.broadcast_to(constant, actions.shape).copy()

    try:
        networks = build_networks(wide, teams.space)
        what = f"{split}, (T, p) = {_key(action)}"
        return describe_answers(
            play_questions(wide, networks, teams, seeds, description=what, override=fixed)
        )
    finally:
        teams.close()


def _estimate(config: Config, runs: int, questions: int) -> None:
    """Print an estimate of the duration, measured on a few questions."""
    if not runs:
        return
    probe = 2 * IN_FLIGHT
    start = time.monotonic()
    _fixed(config, VALIDATION, (0.0, 0.0), unseen_seeds(probe))
    rate = probe / (time.monotonic() - start)
    # Refined answers take up to three rounds.
    plays = runs * (config.train.episodes + questions * (1 + config.bne_rounds("test")))
    print(
        f"{rate:.1f} questions/s, loading included: at most about {plays / rate / 60:.0f} minutes "
        f"for {runs} seeds",
        flush=True,
    )


def unseen_seeds(questions: int) -> list[int]:
    """Return the seeds of the unseen test questions, the same for every policy."""
    return [derive_seed("learning benchmark", "test", k) for k in range(questions)]


def _wide(config: Config) -> Config:
    train = replace(config.train, in_flight=IN_FLIGHT)
    return replace(config, train=train, test=replace(config.test, streams=IN_FLIGHT))


def _key(point: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in point)


def _mean_actions(episodes: Sequence[Episode]) -> list[list[float]]:
    """Return the mean first action of every executor in [-1, 1]."""
    means: list[list[float]] = (
        np.mean([episode.actions[0] for episode in episodes], axis=0).round(4).tolist()
    )
    return means


def summarise(parts: dict[str, Result]) -> Result:
    """Return the summary of all finished parts, with the promises that they keep or break."""
    runs = {name: part for name, part in parts.items() if name.startswith("seed ")}
    summary: Result = {"seeds": len(runs)}
    for reference in ("untrained", "fixed, test"):
        if reference in parts:
            shown = ("accuracy", "tokens_per_question", "action")
            summary[reference] = {k: parts[reference][k] for k in shown if k in parts[reference]}
    if not runs:
        return summary
    for arm in ("one_round", "bne"):
        for value in ("accuracy", "tokens_per_question"):
            summary[f"{arm}_{value}"] = over_seeds([run[arm][value] for run in runs.values()])
    reports = [run["bne_report"] for run in runs.values()]
    summary["bne_minus_one_round"] = over_seeds([r["difference"]["mean"] for r in reports])
    summary["right_to_wrong"] = [report["right_to_wrong"] for report in reports]
    summary["wrong_to_right"] = [report["wrong_to_right"] for report in reports]
    promises: dict[str, bool] = {}
    if "untrained" in parts:
        gains = _differences(runs, parts["untrained"])
        summary["gain_over_untrained"] = gains
        means = [gain["mean"] for gain in gains.values()]
        positive = sum(gain["low"] > 0 for gain in gains.values())
        tokens = summary["one_round_tokens_per_question"]["mean"]
        promises |= {
            "accuracy at least 5 points above untrained": float(np.mean(means)) >= GAIN,
            "interval above 0 in at least 4 of 5 seeds": positive >= 0.8 * len(runs),
            "tokens per question not above untrained": tokens
            <= parts["untrained"]["tokens_per_question"],
        }
    if "fixed, test" in parts:
        below = _differences(runs, parts["fixed, test"])
        summary["minus_best_fixed"] = below
        mean = float(np.mean([difference["mean"] for difference in below.values()]))
        promises["at most 1 point below the best fixed action"] = mean >= -BELOW_FIXED
    return {**summary, "promises": promises}


def _differences(runs: dict[str, Result], reference: Result) -> Result:
    return {name: accuracy_difference(run["one_round"], reference) for name, run in runs.items()}
