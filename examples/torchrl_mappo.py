"""Train TorchRL's MAPPO: a policy per executor, and a critic with all executors' observations.

Run ``python examples/torchrl_mappo.py``.
"""

import argparse

import torch
from tensordict.nn import NormalParamExtractor, TensorDictModule
from torchrl.envs import PettingZooWrapper, check_env_specs
from torchrl.modules import MultiAgentMLP, ProbabilisticActor, TanhNormal
from torchrl.objectives.multiagent import MAPPOLoss

import econ_env

# TorchRL makes one group "executor" of the agents executor_0, executor_1, ...
SEEN, ACTION, VALUE = [("executor", name) for name in ("observation", "action", "value")]
LAW = [("executor", "loc"), ("executor", "scale")]


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train, print, and return the numbers of the last update."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--batch", type=int, default=512, help="rounds to play for an update")
    parser.add_argument("--rounds", type=int, default=1, help="most rounds of an episode")
    chosen = parser.parse_args(arguments)
    torch.manual_seed(0)
    team = econ_env.parallel_env("simulated", "simulated", split="train", bne_rounds=chosen.rounds)
    env = PettingZooWrapper(team, seed=0)
    check_env_specs(env)
    agents, size = env.observation_spec[SEEN].shape
    sizes = {"n_agent_inputs": size, "n_agents": agents, "depth": 2, "num_cells": 64}
    net = MultiAgentMLP(n_agent_outputs=4, centralized=False, share_params=False, **sizes)
    law = TensorDictModule(torch.nn.Sequential(net, NormalParamExtractor()), [SEEN], LAW)
    keys = {"in_keys": LAW, "out_keys": [ACTION], "spec": env.action_spec_unbatched}
    actor = ProbabilisticActor(law, distribution_class=TanhNormal, return_log_prob=True, **keys)
    net = MultiAgentMLP(n_agent_outputs=1, centralized=True, share_params=True, **sizes)
    loss = MAPPOLoss(actor, TensorDictModule(net, [SEEN], [VALUE]))
    loss.set_keys(value=VALUE, action=ACTION, reward=env.reward_key)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
    numbers: dict[str, float] = {}
    for _ in range(chosen.updates):
        with torch.no_grad():
            batch = env.rollout(chosen.batch, actor, break_when_any_done=False)
            loss.value_estimator(batch)  # adds advantages
        for _ in range(20):
            values = loss(batch)
            losses = {key: value for key, value in values.items() if key.startswith("loss_")}
            optimizer.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
            optimizer.step()
        numbers = {key: float(value.detach()) for key, value in losses.items()}
        numbers["reward"] = float(batch["next"][env.reward_key].mean())
        print("  ".join(f"{key} {value:7.4f}" for key, value in numbers.items()))
    return numbers


if __name__ == "__main__":
    main()
