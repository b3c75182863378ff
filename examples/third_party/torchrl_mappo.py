"""TorchRL: MAPPO, or IPPO with a critic for each, on one batch of 32 questions."""

import sys

import torch
from score import report_policy
from tensordict.nn import NormalParamExtractor, TensorDictModule
from torchrl.modules import MultiAgentMLP, ProbabilisticActor, TanhNormal
from torchrl.objectives import ClipPPOLoss

from econ_env.integrations.torchrl import TorchRLEnv

torch.manual_seed(0)
env = TorchRLEnv(32, dataset="simulated", llm="simulated", split="train")
env.set_seed(0)
SEEN, ACTION, VALUE = [("agents", name) for name in ("observation", "action", "value")]
GAIN, TARGET = ("agents", "advantage"), ("agents", "value_target")
LAW = [("agents", "loc"), ("agents", "scale")]
*_, agents, size = env.observation_spec[SEEN].shape
sizes = {"n_agent_inputs": size, "n_agents": agents, "num_cells": 64, "share_params": False}
net = MultiAgentMLP(n_agent_outputs=4, centralized=False, depth=1, **sizes)
split = NormalParamExtractor("biased_softplus_0.5")  # explores narrowly at first
law = TensorDictModule(torch.nn.Sequential(net, split), [SEEN], LAW)
keys = {"in_keys": LAW, "out_keys": [ACTION], "return_log_prob": True}
actor = ProbabilisticActor(law, distribution_class=TanhNormal, **keys)
critic = MultiAgentMLP(n_agent_outputs=1, centralized="IPPO" not in sys.argv, depth=1, **sizes)
loss = ClipPPOLoss(actor, TensorDictModule(critic, [SEEN], [VALUE]), normalize_advantage=True)
loss.set_keys(value=VALUE, action=ACTION, advantage=GAIN, value_target=TARGET)
optimizer = torch.optim.Adam(loss.parameters(), lr=3e-3)
for _ in range(12):
    with torch.no_grad():
        batch = env.rollout(16, actor, break_when_any_done=False).reshape(-1)
        paid = batch["next"][env.reward_key]  # every episode is one round, so this is its return
        batch[TARGET] = paid
        batch[GAIN] = paid - loss.critic_network(batch)[VALUE]
    for _ in range(20):
        optimizer.zero_grad()
        sum(value for key, value in loss(batch).items() if key.startswith("loss_")).backward()
        optimizer.step()
report_policy(actor)
