"""The last line of every trial: mean rewards of random and of trained actions, on new questions."""

from collections.abc import Callable
from typing import Any

import numpy as np

import econ_env

QUESTIONS = 500
Act = Callable[[dict[str, np.ndarray], np.ndarray], Any]


def report(act: Act, team: bool = False) -> None:
    """Play rounds of the test split; print the mean reward of random actions and of ``act``.

    Args:
        act: from observations (agent → (B, size)) and state (B, size) to actions (n, B, 2).
        team: whether the reward of the team is shown, instead of the executors' own.
    """
    print(f"random {random_reward(team):.3f} trained {_mean(act, team):.3f}", flush=True)


def random_reward(team: bool, bins: int | None = None) -> float:
    """Return the mean reward of random actions, of a grid with so many points per axis if given."""
    sampler = np.random.default_rng(0)

    def act(seen: dict[str, np.ndarray], _: np.ndarray) -> np.ndarray:
        shape = (len(seen), QUESTIONS, 2)
        if bins is None:
            return sampler.uniform(-1, 1, shape)
        return np.linspace(-1, 1, bins)[sampler.integers(bins, size=shape)]

    return _mean(act, team)


def report_policy(policy: Any, **settings: Any) -> None:
    """Do the same for a policy of TorchRL; ``settings`` are those of ``TorchRLEnv``."""
    import torch
    from torchrl.envs import ExplorationType, set_exploration_type

    from econ_env.integrations.torchrl import TorchRLEnv

    env = TorchRLEnv(QUESTIONS, dataset="simulated", llm="simulated", **settings)
    means = []
    with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
        for each in (None, policy):
            env.set_seed(1)
            means.append(env.rollout(1, each)["next", "agents", "reward"].mean().item())
    print(f"random {means[0]:.3f} trained {means[1]:.3f}", flush=True)


def _mean(act: Act, team: bool) -> float:
    env = econ_env.batched_parallel_env(QUESTIONS, dataset="simulated", llm="simulated")
    seen, _ = env.reset(seed=1)
    chosen = [np.asarray(each, np.float64) for each in act(seen, env.state())]
    actions = [np.clip(each, -1, 1) for each in chosen]
    _, rewards, _, _, infos = env.step(dict(zip(env.agents, actions, strict=True)))
    paid = [infos[agent]["team_reward"] if team else rewards[agent] for agent in rewards]
    return float(np.mean(paid))
