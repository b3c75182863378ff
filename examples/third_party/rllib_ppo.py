"""RLlib, new API stack: multi-agent PPO with a policy for every executor and remote runners."""

from functools import partial

import numpy as np
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env
from score import report

import econ_env

names = [f"executor_{index}" for index in range(3)]
make = partial(econ_env.parallel_env, "simulated", "simulated")
ray.init(num_cpus=3, include_dashboard=False, _node_ip_address="127.0.0.1")
register_env("econ", lambda settings: ParallelPettingZooEnv(make(**settings)))
config = (
    PPOConfig()
    .environment("econ", env_config={"split": "train"})
    .env_runners(num_env_runners=2, num_envs_per_env_runner=16)
    .multi_agent(policies=set(names), policy_mapping_fn=lambda agent, episode, **_: agent)
    .training(train_batch_size=512, minibatch_size=128, num_epochs=8, lr=1e-3)
    .debugging(seed=0)
)
algorithm = config.build_algo()
for _ in range(10):
    algorithm.train()


def act(seen: dict[str, np.ndarray], _: np.ndarray) -> list[np.ndarray]:
    """Return the means of the trained policies."""
    modules = {name: algorithm.get_module(name) for name in seen}
    outs = [modules[n].forward_inference({"obs": torch.as_tensor(o)}) for n, o in seen.items()]
    return [out["action_dist_inputs"][:, :2].detach().numpy() for out in outs]


report(act)
algorithm.stop()
