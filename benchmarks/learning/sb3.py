"""Measure stable-baselines3's PPO and SAC on the joint view of ECON's simulated team.

They learn with their own defaults and with the settings of examples/, and are measured like ECON:
exact values of the deterministic policy on the same unseen questions, after the same numbers of
episodes.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from scipy import integrate, stats

from benchmarks.learning.exact import QUESTIONS_PER_KIND, Yardstick
from benchmarks.learning.results import Result, ResultFile, over_seeds
from benchmarks.learning.simulated import marks, preset
from econ_agents.config.files import config_mapping
from econ_agents.logging.progress import opened_progress
from econ_agents.statistics import CONFIDENCE, RESAMPLES

ENV_ID = "econ_env:econ/Simulated-v0"
EXAMPLES = Path(__file__).parents[2] / "examples"
TEAMS = 16
"""Number of teams in examples/sb3_vector.py."""
COMPARED = (500, 1500)
"""Episodes after which ECON is promised to be at least as good."""


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A compared algorithm with its settings."""

    algorithm: str
    """Name in stable-baselines3: "PPO" or "SAC"."""
    script: str | None
    """Example whose settings it uses; None uses stable-baselines3's defaults."""

    @property
    def vector(self) -> bool:
        """True if it plays several teams at once."""
        return self.script == "sb3_vector.py"

    def settings(self) -> Mapping[str, Any]:
        """Return the algorithm's arguments, except policy, environment and seed."""
        if self.script is None:
            return {}
        found: Mapping[str, Any] = _example(self.script)[f"{self.algorithm}_SETTINGS"]
        return found


RIVALS = {
    f"{algorithm} {name}": Rival(algorithm=algorithm, script=script)
    for algorithm in ("PPO", "SAC")
    for name, script in (
        ("default", None),
        ("tuned", "sb3_single.py"),
        ("tuned, 16 teams", "sb3_vector.py"),
    )
}


def measure_sb3(
    *,
    seeds: Sequence[int],
    episodes: int,
    econ: Path,
    out: Path,
    rivals: Sequence[str] = tuple(RIVALS),
    questions_per_kind: int = QUESTIONS_PER_KIND,
) -> Result:
    """Train every rival once per seed; return a summary that compares them with ECON.

    Args:
        seeds: seeds of the runs.
        episodes: number of training episodes, of one decision each.
        econ: file with the results of ``simulated``; without it nothing is compared.
        out: file of the results.
        rivals: names in ``RIVALS``.
        questions_per_kind: number of unseen questions of every kind.
    """
    config = preset(episodes)
    yardstick = Yardstick(config, questions_per_kind)
    game = {"env_args": config_mapping(config)["env_args"], "n_agents": yardstick.n_agents}
    settings = {
        **game,
        "questions_per_kind": questions_per_kind,
        "episodes": episodes,
        "rivals": {name: dict(RIVALS[name].settings()) for name in rivals},
    }
    file = ResultFile(out, settings, libraries=["stable-baselines3"])
    seen = _joint_observations(yardstick.count)
    for name in rivals:
        for seed in seeds:
            part = f"{name}, seed {seed}"
            if part in file.parts():
                print(f"{part}: finished before")
                continue
            file.put(part, {"curve": _curve(RIVALS[name], seed, episodes, yardstick, seen)})
            print(f"{part}: {file.parts()[part]['curve'][-1]['team_reward']:.4f}", flush=True)
    summary = summarise(file.parts(), ResultFile(econ, {}).parts() if econ.is_file() else {})
    file.summarise(summary)
    return summary


def _curve(
    rival: Rival, seed: int, episodes: int, yardstick: Yardstick, seen: NDArray[np.float32]
) -> list[Result]:
    """Train one rival, and measure it after the same numbers of episodes as ECON."""
    import stable_baselines3
    from stable_baselines3.common.callbacks import BaseCallback

    curve: list[Result] = []

    def measure(model: Any, done: int) -> None:
        actions, _ = model.predict(seen, deterministic=True)
        worth = yardstick.worth(np.reshape(actions, (len(seen), yardstick.n_agents, 2)))
        curve.append({"episodes": done, **worth.to_json()})

    class Watch(BaseCallback):
        """Callback that measures at the marks; a step is an episode here: one decision."""

        def __init__(self) -> None:
            super().__init__()
            self.left = marks(episodes)

        def _on_step(self) -> bool:
            progress.update(min(self.num_timesteps, episodes), {})
            while self.left and self.num_timesteps >= self.left[0]:
                measure(self.model, self.left.pop(0))
            return bool(self.left)

    algorithm: Callable[..., Any] = getattr(stable_baselines3, rival.algorithm)
    env = _training_env(rival.vector)
    model = algorithm("MlpPolicy", env, seed=seed, device="cpu", **rival.settings())
    measure(model, 0)
    name = f"{rival.algorithm}, seed {seed}"
    with opened_progress(description=name, total=episodes) as progress:
        model.learn(episodes, callback=Watch())
    env.close()
    return curve


def _training_env(vector: bool) -> Any:
    if not vector:
        return gymnasium.make(ENV_ID, split="train", bne_rounds=1)
    settings: dict[str, Any] = {"split": "train", "bne_rounds": 1, "autoreset_mode": "SameStep"}
    adapter = _example("gymnasium_to_sb3.py")["GymnasiumVecEnv"]
    return adapter(gymnasium.make_vec(ENV_ID, TEAMS, **settings))


def _joint_observations(count: int) -> NDArray[np.float32]:
    """Return the controller's observations on the test questions 0 to count - 1."""
    env = gymnasium.make(ENV_ID, split="test", bne_rounds=1)
    rows = [env.reset(seed=k, options={"question": k})[0] for k in range(count)]
    env.close()
    return np.stack(rows)


def _example(script: str) -> dict[str, Any]:
    # Examples import their neighbours, as a script may that is run from its folder.
    sys.path.insert(0, str(EXAMPLES))
    try:
        return runpy.run_path(str(EXAMPLES / script))
    finally:
        sys.path.remove(str(EXAMPLES))


def summarise(parts: dict[str, Result], econ: dict[str, Result]) -> Result:
    """Return the curves and areas of all algorithms, and ECON's lead over the best rival.

    Args:
        parts: parts of the rivals, by "name, seed k".
        econ: parts of ``simulated``.
    """
    curves: dict[str, list[list[Result]]] = {}
    for part, found in parts.items():
        curves.setdefault(part.rpartition(", seed")[0], []).append(found["curve"])
    if econ:
        curves["ECON"] = [
            [{"episodes": 0, **found["untrained"]}, *found["curve"]]
            for part, found in econ.items()
            if part.startswith("seed ")
        ]
    shown = {
        name: {
            "curve": [
                {
                    "episodes": points[0]["episodes"],
                    "team_reward": over_seeds([point["team_reward"] for point in points]),
                }
                for points in zip(*runs, strict=True)
            ],
            "area": over_seeds([_area(run) for run in runs]),
        }
        for name, runs in curves.items()
    }
    summary: Result = {"area": "mean team reward over the episodes of training", "curves": shown}
    if econ and len(curves) > 1:
        summary["econ_minus_best_rival"] = _compare(curves)
    return summary


def _compare(curves: dict[str, list[list[Result]]]) -> Result:
    """Compare ECON with the best rival, by area and after each of ``COMPARED`` episodes."""
    last = min(run[-1]["episodes"] for runs in curves.values() for run in runs)
    values: dict[str, dict[str, list[float]]] = {
        f"area up to {last} episodes": {
            name: [_area(_up_to(run, last)) for run in runs] for name, runs in curves.items()
        }
    }
    for mark in sorted({min(mark, last) for mark in COMPARED}):
        values[f"after {mark} episodes"] = {
            name: [_at(run, mark) for run in runs] for name, runs in curves.items()
        }
    found: Result = {}
    for what, by_name in values.items():
        ours = by_name.pop("ECON")
        best = max(by_name, key=lambda name: float(np.mean(by_name[name])))
        found[what] = {"best_rival": best, **difference_of_means(ours, by_name[best])}
        found[what]["econ_at_least_as_good"] = found[what]["mean"] >= 0
    return found


def difference_of_means(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return one group's mean minus another's, with a bootstrap interval over both groups."""
    found = {"mean": float(np.mean(ours) - np.mean(theirs))}
    if min(len(ours), len(theirs)) > 1:
        interval = stats.bootstrap(
            (ours, theirs),
            lambda one, other, axis: np.mean(one, axis=axis) - np.mean(other, axis=axis),
            confidence_level=CONFIDENCE,
            n_resamples=RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        found |= {"low": float(interval.low), "high": float(interval.high)}
    return found


def _area(run: Sequence[Result]) -> float:
    """Return the area under the curve of the team reward, divided by its length."""
    episodes = [point["episodes"] for point in run]
    rewards = [point["team_reward"] for point in run]
    return float(integrate.trapezoid(rewards, episodes) / (episodes[-1] - episodes[0]))


def _up_to(run: Sequence[Result], episodes: int) -> list[Result]:
    return [point for point in run if point["episodes"] <= episodes]


def _at(run: Sequence[Result], episodes: int) -> float:
    return next(float(p["team_reward"]) for p in run if p["episodes"] == episodes)
