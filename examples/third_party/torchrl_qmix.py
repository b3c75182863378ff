"""TorchRL: QMIX on one batch of 32 questions, with 25 discrete actions for each executor."""

import torch
from score import report_policy
from tensordict.nn import TensorDictModule, TensorDictSequential
from torchrl.modules import EGreedyModule, MultiAgentMLP, QMixer, QValueModule
from torchrl.objectives import QMixerLoss, SoftUpdate, ValueEstimators

from econ_env.integrations.torchrl import TorchRLEnv

torch.manual_seed(0)
env = TorchRLEnv(32, bins=5, dataset="simulated", llm="simulated", split="train")
env.set_seed(0)
SEEN, ACTION, ALL = [("agents", name) for name in ("observation", "action", "action_value")]
CHOSEN = ("agents", "chosen_action_value")
*_, agents, size = env.observation_spec[SEEN].shape
sizes = {"n_agent_inputs": size, "n_agent_outputs": 25, "n_agents": agents, "num_cells": 64}
net = MultiAgentMLP(centralized=False, share_params=False, depth=1, **sizes)
keys = {"action_value_key": ALL, "out_keys": [ACTION, ALL, CHOSEN], "action_space": "categorical"}
policy = TensorDictSequential(TensorDictModule(net, [SEEN], [ALL]), QValueModule(**keys))
explore = EGreedyModule(env.action_spec, annealing_num_steps=4000, action_key=ACTION)
behaviour = TensorDictSequential(policy, explore)
state = env.observation_spec["state"].shape[-1:]
mixing = {"state_shape": state, "mixing_embed_dim": 32, "n_agents": agents, "device": "cpu"}
mixer = TensorDictModule(QMixer(**mixing), [CHOSEN, "state"], ["chosen_action_value"])
loss = QMixerLoss(policy, mixer, delay_value=True, action_space="categorical")
loss.set_keys(action_value=ALL, local_value=CHOSEN, action=ACTION)
loss.make_value_estimator(ValueEstimators.TD0, gamma=0.99)
target, optimizer = SoftUpdate(loss, eps=0.98), torch.optim.Adam(loss.parameters(), lr=1e-3)
for _ in range(20):
    with torch.no_grad():
        batch = env.rollout(8, behaviour, break_when_any_done=False).reshape(-1)
    explore.step(batch.numel())
    batch["next", "reward"] = batch["next", "agents", "reward"].mean(-2)
    for _ in range(20):
        optimizer.zero_grad()
        loss(batch)["loss"].backward()
        optimizer.step()
        target.step()
report_policy(policy, bins=5)
