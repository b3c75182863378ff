"""Tianshou: SAC controls a whole team, through Gymnasium."""

from functools import partial

import gymnasium
import torch
from score import report
from tianshou.algorithm import SAC
from tianshou.algorithm.modelfree.sac import SACPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic

torch.manual_seed(0)
make = partial(gymnasium.make, "econ_env:econ/Simulated-v0", split="train")
shape, box = make().observation_space.shape, make().action_space
sizes = {"state_shape": shape, "hidden_sizes": (64,)}
kind = {"action_shape": box.shape, "unbounded": True, "conditioned_sigma": True}
actor = ContinuousActorProbabilistic(preprocess_net=Net(**sizes), **kind)
seen = {"action_shape": box.shape, "concat": True, **sizes}
critics = [ContinuousCritic(preprocess_net=Net(**seen)) for _ in range(2)]
adam = AdamOptimizerFactory(lr=3e-3)
losses = {"critic": critics[0], "critic2": critics[1], "critic_optim": adam, "critic2_optim": adam}
policy = SACPolicy(actor=actor, action_space=box)
learner = SAC(policy=policy, policy_optim=adam, alpha=0.01, **losses)
envs = DummyVectorEnv([make] * 4)
envs.seed(0)
collector = Collector(learner, envs, VectorReplayBuffer(20_000, 4))
collector.reset()
collector.collect(n_step=400, random=True)
pace = {"collection_step_num_env_steps": 40, "update_step_num_gradient_steps_per_sample": 0.3}
length = {"max_epochs": 2, "epoch_num_steps": 1000, "batch_size": 64, "test_collector": None}
learner.run_training(OffPolicyTrainerParams(training_collector=collector, **pace, **length))
report(
    lambda _, state: actor(state)[0][0].tanh().detach().reshape(len(state), -1, 2).swapaxes(0, 1),
    team=True,
)
