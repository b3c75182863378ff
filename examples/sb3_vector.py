"""Train stable-baselines3's PPO or SAC on 16 simulated teams whose requests go out together.

Run ``python examples/sb3_vector.py --algorithm sac``.

Prints the last losses, and the mean returns of random and of trained actions on unseen questions.
"""

import argparse
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium_to_sb3 import GymnasiumVecEnv
from stable_baselines3 import PPO, SAC

PPO_SETTINGS = {"n_steps": 16, "learning_rate": 1e-3, "policy_kwargs": {"log_std_init": -0.5}}
SAC_SETTINGS = {"gradient_steps": 4, "learning_rate": 3e-3, "ent_coef": 0.01}


def make_teams(split: str, rounds: int) -> GymnasiumVecEnv:
    """Make 16 teams that play the questions of ``split``."""
    settings: dict[str, Any] = {"split": split, "bne_rounds": rounds, "autoreset_mode": "SameStep"}
    return GymnasiumVecEnv(gymnasium.make_vec("econ_env:econ/Simulated-v0", 16, **settings))


def mean_return(teams: GymnasiumVecEnv, act: Callable[[Any], Any]) -> float:
    """Return the mean return of ``act(observations)`` over 500 or more episodes."""
    total, episodes = 0.0, 0
    teams.seed(1)
    observations = teams.reset()
    while episodes < 500:
        observations, rewards, ended, _ = teams.step(act(observations))
        total, episodes = total + float(rewards.sum()), episodes + int(ended.sum())
    return total / episodes


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train, print, and return the losses and the two mean returns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--algorithm", choices=["ppo", "sac"], default="ppo")
    parser.add_argument("--steps", type=int, default=6000, help="rounds to train on")
    parser.add_argument("--rounds", type=int, default=1, help="most rounds of an episode")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # networks this small are slower on several
    algorithm, settings = (PPO, PPO_SETTINGS) if chosen.algorithm == "ppo" else (SAC, SAC_SETTINGS)
    model: Any = algorithm("MlpPolicy", make_teams("train", chosen.rounds), seed=0, **settings)
    model.learn(chosen.steps)
    results = {key: float(value) for key, value in model.logger.name_to_value.items()}
    test = make_teams("test", chosen.rounds)
    sampler = np.random.default_rng(0)
    results["random"] = mean_return(test, lambda seen: sampler.uniform(-1, 1, (len(seen), 6)))
    results["trained"] = mean_return(test, lambda seen: model.predict(seen, deterministic=True)[0])
    print("\n".join(f"{name:30}{value:10.4f}" for name, value in results.items()))
    return results


if __name__ == "__main__":
    main()
