"""Measure ECON's learning on the simulator against exact optima and best responses."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learning.exact import QUESTIONS_PER_KIND, Yardstick
from benchmarks.learning.results import Result, ResultFile, over_seeds
from econ_agents.algorithm.builders import build_teams
from econ_agents.config.files import CONFIG_FILE, config_mapping, read_config, write_config
from econ_agents.config.schema import Config
from econ_agents.equilibrium.policy_nash_conv import measure_nash_conv, most_plays
from econ_agents.equilibrium.regret import cumulative_regret
from econ_agents.logging.progress import opened_progress
from econ_agents.statistics import Interval
from econ_agents.training.checkpoint import FINAL, save_checkpoint
from econ_agents.training.run_folder import model_dir
from econ_agents.training.trainer import Trainer
from econ_files.private import make_private_folder

MARKS = (100, 250, 500, 750, 1000, 1250, 1500)
"""Numbers of training episodes after which policies are measured."""
SHARE_OF_OPTIMUM = 0.95
SHARE_OF_NASH_CONV = 0.2
"""Promises about the trained policy: share of the optimum, and of the untrained NashConv."""


def measure_simulated(
    *,
    seeds: Sequence[int],
    episodes: int,
    sampled_questions: int,
    work: Path,
    out: Path,
    questions_per_kind: int = QUESTIONS_PER_KIND,
    starts: int = 16,
) -> Result:
    """Train once for every seed that is not finished; return the summary of all seeds.

    Args:
        seeds: seeds of the runs.
        episodes: number of training episodes.
        sampled_questions: questions of the sampled NashConv of the first seed; 0 skips it.
        work: folder of the trained teams, ``simulated_<seed>``, which ``compare.py`` can play.
        out: file of the results.
        questions_per_kind: number of unseen questions of every kind.
        starts: number of starting points of the searches for exact optima.
    """
    config = preset(episodes)
    yardstick = Yardstick(config, questions_per_kind, starts=starts)
    settings = {
        "config": config_mapping(config),
        "questions_per_kind": questions_per_kind,
        "exact": "mean over unseen test questions of the exact expectation given the question's "
        "kind and actions; best responses may differ for every question",
    }
    file = ResultFile(out, settings)
    for seed in seeds:
        name = f"seed {seed}"
        if name in file.parts():
            print(f"{name}: finished before")
            continue
        questions = sampled_questions if seed == seeds[0] else 0
        file.put(name, _one_seed(replace(config, seed=seed), yardstick, questions, work))
        file.summarise(summarise(file.parts(), yardstick))
    summary = summarise(file.parts(), yardstick)
    file.summarise(summary)
    return summary


def preset(episodes: int) -> Config:
    """Return the preset "simulated" with this number of training episodes."""
    config = read_config("simulated")
    return replace(config, train=replace(config.train, episodes=episodes))


def marks(episodes: int) -> list[int]:
    """Return the episodes after which a run of this length is measured, its end included."""
    return [mark for mark in MARKS if mark < episodes] + [episodes]


def train(config: Config, at: Sequence[int], visit: Callable[[Trainer], None]) -> list[float]:
    """Train from the beginning; return the team rewards of the training episodes.

    Args:
        config: configuration of the run.
        at: episodes after which ``visit`` is called, multiples of ``update_interval``.
        visit: callback that reads the trainer and must not change it.
    """
    teams = build_teams(config, "train")
    won: list[float] = []
    try:
        trainer = Trainer(config, teams)
        total = config.train.episodes
        with opened_progress(description=f"seed {config.seed}", total=total) as progress:
            while trainer.episodes < total:
                played = trainer.collect()
                won += [float(e.team_rewards.sum()) for e in played if not e.failed]
                progress.update(trainer.episodes, trainer.learn(played).metrics)
                if trainer.episodes in at:
                    visit(trainer)
    finally:
        teams.close()
    return won


def _one_seed(config: Config, yardstick: Yardstick, sampled_questions: int, work: Path) -> Result:
    curve: list[Result] = []

    def visit(trainer: Trainer) -> None:
        actions = yardstick.act(trainer.learner.networks, trainer.teams.space)
        worth = yardstick.worth(actions)
        curve.append({"episodes": trainer.episodes, **worth.to_json()})
        print(
            f"seed {config.seed}, {trainer.episodes} episodes: team reward "
            f"{worth.team_reward:.4f}, accuracy {worth.accuracy:.4f}, "
            f"NashConv {worth.nash_conv:.4f}",
            flush=True,
        )
        if trainer.episodes == config.train.episodes:
            kinds = actions.reshape(-1, 3, *actions.shape[1:])
            found["actions_by_kind"] = kinds.mean(axis=0).round(4).tolist()
            found["spread_within_kinds"] = float(kinds.std(axis=0).max())
            _keep(trainer, config, work / f"simulated_{config.seed}")
            if sampled_questions:
                found["sampled_nash_conv"] = _sampled(config, trainer, sampled_questions)

    teams = build_teams(config, "train")
    untrained = Trainer(config, teams)
    teams.close()
    before = yardstick.worth(yardstick.act(untrained.learner.networks, untrained.teams.space))
    found: Result = {"untrained": before.to_json(), "curve": curve}
    won = train(config, marks(config.train.episodes), visit)
    best = yardstick.landmarks["best_fixed_on_training_questions"]
    regret = cumulative_regret(won, Interval(mean=best, low=best, high=best))
    found["regret"] = {
        "best_fixed": best,
        "cumulative": {str(mark): regret.curve[mark - 1] for mark in marks(len(won))},
        "mean_by_quarter": regret.parts,
    }
    return found


def _keep(trainer: Trainer, config: Config, folder: Path) -> None:
    """Write the trained team as a run that has ended; an earlier one of this seed is replaced."""
    if folder.exists():
        shutil.rmtree(folder)
    make_private_folder(folder)
    write_config(config, folder / CONFIG_FILE)
    save_checkpoint(model_dir(config, folder), FINAL, trainer.arrays(), trainer.state())


def _sampled(config: Config, trainer: Trainer, questions: int) -> dict[str, Any]:
    """Return the estimate of ``econ-agents nash``, computed in large batches."""
    wide = replace(config, train=replace(config.train, in_flight=100), update_interval=100)
    teams = build_teams(wide, "test", bne=False)
    try:
        networks = trainer.learner.networks
        plays = most_plays(len(teams.space.agents), teams.space.action_size)
        with opened_progress(
            description=f"seed {config.seed}, sampled NashConv", total=plays, unit="play"
        ) as progress:
            found = measure_nash_conv(
                wide,
                networks,
                teams,
                questions=questions,
                seed=config.seed,
                played=progress.advance,
            )
    finally:
        teams.close()
    print(f"seed {config.seed}: sampled NashConv {found.interval}", flush=True)
    return found.to_json()


def summarise(parts: dict[str, Result], yardstick: Yardstick) -> Result:
    """Return the summary of all finished seeds, with the promises that they keep or break."""
    seeds = [part for name, part in parts.items() if name.startswith("seed ")]
    landmarks = yardstick.landmarks
    if not seeds:
        return {"landmarks": landmarks}
    last = [part["curve"][-1] for part in seeds]
    rewards = [float(end["team_reward"]) for end in last]
    nash = [
        end["nash_conv"] / part["untrained"]["nash_conv"]
        for end, part in zip(last, seeds, strict=True)
    ]
    optimum = landmarks["optimum_type_aware"]
    shares = [reward / optimum for reward in rewards]
    untrained = [float(part["untrained"]["team_reward"]) for part in seeds]
    closed = [
        (reward - before) / (optimum - before)
        for reward, before in zip(rewards, untrained, strict=True)
    ]
    return {
        "seeds": len(seeds),
        "landmarks": landmarks,
        "untrained_team_reward": over_seeds(untrained),
        "untrained_nash_conv": over_seeds([p["untrained"]["nash_conv"] for p in seeds]),
        "team_reward": over_seeds(rewards),
        "share_of_optimum": over_seeds(shares),
        "share_of_gap_closed": over_seeds(closed),
        "nash_conv": over_seeds([end["nash_conv"] for end in last]),
        "fall_of_nash_conv": over_seeds(  # in pairs: of one team, before training and after
            [
                part["untrained"]["nash_conv"] - end["nash_conv"]
                for end, part in zip(last, seeds, strict=True)
            ]
        ),
        "share_of_untrained_nash_conv": over_seeds(nash),
        "mean_regret_by_quarter": np.mean(
            [part["regret"]["mean_by_quarter"] for part in seeds], axis=0
        ).tolist(),
        "curve": [
            {
                "episodes": points[0]["episodes"],
                "team_reward": over_seeds([point["team_reward"] for point in points]),
                "nash_conv": over_seeds([point["nash_conv"] for point in points]),
            }
            for points in zip(*(part["curve"] for part in seeds), strict=True)
        ],
        "promises": {
            "team reward >= 95% of the optimum": float(np.mean(shares)) >= SHARE_OF_OPTIMUM,
            "NashConv <= 20% of the untrained": float(np.mean(nash)) <= SHARE_OF_NASH_CONV,
            "every seed better than uniform": min(rewards) > landmarks["uniform_random"],
        },
    }
