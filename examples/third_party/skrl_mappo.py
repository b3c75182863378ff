"""skrl: MAPPO, or IPPO, with a policy and a critic for every executor."""

import sys
from dataclasses import fields

import torch
from score import report
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.multi_agents.torch.ippo import IPPO, IPPO_CFG
from skrl.multi_agents.torch.mappo import MAPPO, MAPPO_CFG
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed
from skrl.utils.model_instantiators.torch import deterministic_model, gaussian_model

import econ_env

STEPS = {"timesteps": 3072, "headless": True, "disable_progressbar": True}
set_seed(0)
central = sys.argv[1:] != ["IPPO"]
env = wrap_env(econ_env.parallel_env("simulated", "simulated", split="train"), wrapper="pettingzoo")
names, models = env.possible_agents, {}
spaces = {key: getattr(env, key) for key in ("observation_spaces", "state_spaces", "action_spaces")}
layers = {"name": "net", "layers": [64], "activations": "tanh", "input": "OBSERVATIONS"}
seen = layers | {"input": "STATES" if central else "OBSERVATIONS"}
for name in names:
    own = {key[:-1]: found[name] for key, found in spaces.items()} | {"device": "cpu"}
    law = {"network": [layers], "output": "ACTIONS", "initial_log_std": -0.5}
    value = deterministic_model(network=[seen], output="ONE", **own)
    models[name] = {"policy": gaussian_model(**law, **own), "value": value}
kind, config = (MAPPO, MAPPO_CFG) if central else (IPPO, IPPO_CFG)
# Without a dict for each executor, skrl 2.1 looks for executors among the keywords, and fails.
keywords = [each.name for each in fields(config) if each.name.endswith("_kwargs")]
cfg = config(rollouts=256, learning_epochs=8, **{key: {n: {} for n in names} for key in keywords})
memories = {name: RandomMemory(memory_size=256, num_envs=1, device="cpu") for name in names}
team = {"possible_agents": names, "models": models, "memories": memories, "device": "cpu"}
SequentialTrainer(env=env, agents=kind(cfg=cfg, **team, **spaces), cfg=STEPS).train()
laws, see = {name: models[name]["policy"].compute for name in names}, torch.as_tensor
report(lambda seen, _: [law({"observations": see(seen[n])})[0].detach() for n, law in laws.items()])
