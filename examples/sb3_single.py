"""Train stable-baselines3's PPO or SAC as the one controller of a simulated team.

Run ``python examples/sb3_single.py --algorithm sac``.

Prints the last losses, and the mean returns (team rewards) of random and of trained actions on
questions that the training did not see.
"""

import argparse
from collections.abc import Callable
from typing import Any

import gymnasium
import torch
from stable_baselines3 import PPO, SAC

ENV_ID = "econ_env:econ/Simulated-v0"
# Rewards of good and bad actions differ by tenths: start with little noise, ask little entropy.
PPO_SETTINGS = {"n_steps": 256, "learning_rate": 1e-3, "policy_kwargs": {"log_std_init": -0.5}}
SAC_SETTINGS = {"learning_starts": 500, "train_freq": 4, "learning_rate": 3e-3, "ent_coef": 0.01}


def mean_return(env: gymnasium.Env[Any, Any], act: Callable[[Any], Any]) -> float:
    """Return the mean return of ``act(observation)`` over 500 episodes, always the same ones."""
    total = 0.0
    observation, _ = env.reset(seed=1)
    for _ in range(500):
        ended = False
        while not ended:
            observation, reward, terminated, truncated, _ = env.step(act(observation))
            total += float(reward)
            ended = terminated or truncated
        observation, _ = env.reset()
    return total / 500


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train, print, and return the losses and the two mean returns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--algorithm", choices=["ppo", "sac"], default="ppo")
    parser.add_argument("--steps", type=int, default=6000, help="rounds to train on")
    parser.add_argument("--rounds", type=int, default=1, help="most rounds of an episode")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # networks this small are slower on several
    algorithm, settings = (PPO, PPO_SETTINGS) if chosen.algorithm == "ppo" else (SAC, SAC_SETTINGS)
    env = gymnasium.make(ENV_ID, split="train", bne_rounds=chosen.rounds)
    model: Any = algorithm("MlpPolicy", env, seed=0, device="cpu", **settings)
    model.learn(chosen.steps)
    results = {key: float(value) for key, value in model.logger.name_to_value.items()}
    test = gymnasium.make(ENV_ID, split="test", bne_rounds=chosen.rounds)
    test.action_space.seed(0)
    results["random"] = mean_return(test, lambda _: test.action_space.sample())
    results["trained"] = mean_return(test, lambda seen: model.predict(seen, deterministic=True)[0])
    print("\n".join(f"{name:30}{value:10.4f}" for name, value in results.items()))
    return results


if __name__ == "__main__":
    main()
