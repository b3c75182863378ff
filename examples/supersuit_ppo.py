"""Train stable-baselines3's PPO through SuperSuit: one policy whose parameters all agents share.

Run ``python examples/supersuit_ppo.py``.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import supersuit
from stable_baselines3 import PPO
from stable_baselines3.common.utils import set_random_seed

import econ_env


def make_teams(copies: int, seed: int, **settings: Any) -> Any:
    """Make copies of a team as one vector environment, with a place for every executor."""
    env = econ_env.parallel_env("simulated", "simulated", **settings)
    # Executors that share parameters need an agent indicator, or they all act alike.
    places = supersuit.pettingzoo_env_to_vec_env_v1(supersuit.agent_indicator_v0(env))
    teams = supersuit.concat_vec_envs_v1(places, copies, base_class="stable_baselines3")
    # The trap: PPO(seed=...) and teams.reset(seed=...) fail, and without a seed all copies play the
    # same episodes. This gives copy i the seed + i; later resets continue its random stream.
    teams.venv.reset(seed=seed)
    return teams


def mean_reward(teams: Any, act: Callable[[Any], Any]) -> float:
    """Return the mean reward per executor and round of ``act(observations)`` over 300 rounds."""
    observations, total = teams.reset(), 0.0
    for _ in range(300):
        observations, rewards, *_ = teams.step(act(observations))
        total += float(np.mean(rewards)) / 300
    return total


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train, print, and return the losses and the two mean rewards."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=12_000, help="actions to train on")
    parser.add_argument("--rounds", type=int, default=1, help="most rounds of an episode")
    chosen = parser.parse_args(arguments)
    set_random_seed(0)  # in place of PPO(seed=0)
    train = make_teams(4, 0, split="train", bne_rounds=chosen.rounds)
    narrow = {"log_std_init": -0.5}
    model = PPO("MlpPolicy", train, n_steps=64, learning_rate=1e-3, policy_kwargs=narrow)
    model.learn(chosen.steps)
    numbers = {key: float(value) for key, value in model.logger.name_to_value.items()}
    test = make_teams(1, 1, split="test", bne_rounds=chosen.rounds)
    sampler = np.random.default_rng(0)
    numbers["random"] = mean_reward(test, lambda seen: sampler.uniform(-1, 1, (len(seen), 2)))
    numbers["trained"] = mean_reward(test, lambda seen: model.predict(seen, deterministic=True)[0])
    print("\n".join(f"{key:30}{value:10.4f}" for key, value in numbers.items()))
    return numbers


if __name__ == "__main__":
    main()
