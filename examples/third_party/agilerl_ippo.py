"""AgileRL: IPPO, or MADDPG, on copies of a team in processes of their own."""

import sys
from functools import partial

import numpy as np
from agilerl.algorithms import IPPO, MADDPG
from agilerl.components.replay_buffer import ReplayBuffer
from agilerl.training.train_multi_agent_off_policy import train_multi_agent_off_policy
from agilerl.training.train_multi_agent_on_policy import train_multi_agent_on_policy
from agilerl.vector.pz_async_vec_env import AsyncPettingZooVecEnv
from score import report

import econ_env

make = partial(econ_env.parallel_env, "simulated", "simulated", split="train")

if __name__ == "__main__":
    team, layers = make(), {"hidden_size": [64]}
    settings = {
        "observation_spaces": [team.observation_space(agent) for agent in team.possible_agents],
        "action_spaces": [team.action_space(agent) for agent in team.possible_agents],
        "agent_ids": team.possible_agents,
        "net_config": {"latent_dim": 64, "encoder_config": layers, "head_config": layers},
    }
    copies = AsyncPettingZooVecEnv([make] * 2)
    pace = {"max_steps": 4000, "evo_steps": 1000, "eval_steps": 20, "verbose": False}
    if sys.argv[1:] == ["MADDPG"]:
        noise = {"vect_noise_dim": 2, "expl_noise": 0.3, "learn_step": 16, "lr_critic": 3e-3}
        pop, memory = [MADDPG(**settings, **noise)], ReplayBuffer(10_000)
        pop, _ = train_multi_agent_off_policy(copies, "econ", "MADDPG", pop, memory, **pace)
    else:
        pop = [IPPO(**settings, learn_step=256, lr=3e-3, action_std_init=0.0, ent_coef=0.0)]
        pop, _ = train_multi_agent_on_policy(copies, "econ", "IPPO", pop, **pace)
    copies.close()
    pop[0].set_training_mode(False)
    act = pop[0].get_action  # IPPO draws: the mean of many draws is its policy's mean
    report(lambda seen, _: np.mean([[*act(obs=seen)[0].values()] for _ in range(64)], axis=0))
