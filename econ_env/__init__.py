"""A team of language models that answers questions together, as a multi-agent environment.

>>> import econ_env
>>> env = econ_env.parallel_env(dataset="simulated", llm="simulated")
>>> observations, infos = env.reset(seed=0)
>>> actions = {agent: env.action_space(agent).sample() for agent in env.agents}
>>> observations, rewards, terminations, truncations, infos = env.step(actions)

Importing this package registers ``econ/Simulated-v0``, ``econ/Arithmetic-v0``, ``econ/GSM8K-v0``,
``econ/MATH-v0`` and ``econ/SVAMP-v0`` with Gymnasium (``gymnasium.make("econ_env:econ/SVAMP-v0")``)
and with PettingZoo. No model and no heavy library is loaded before it is first used.
"""

from econ_env import answers, econ_v0
from econ_env.config import EnvConfig
from econ_env.econ_v0 import env, parallel_env, raw_env
from econ_env.envs.batched import BatchedEconEnv, batched_parallel_env
from econ_env.envs.joint import JointEnv
from econ_env.envs.joint_vector import JointVectorEnv
from econ_env.envs.parallel import EconParallelEnv
from econ_env.envs.wrappers import (
    DiscreteActions,
    EpisodeStatistics,
    EpisodeSummary,
    RecordEpisodes,
    RewardComponents,
    TextInfos,
)
from econ_env.errors import EconError
from econ_env.llm.types import ModelError
from econ_env.registration import register_all
from econ_env.version import __version__

__all__ = [
    "BatchedEconEnv",
    "DiscreteActions",
    "EconError",
    "EconParallelEnv",
    "EnvConfig",
    "EpisodeStatistics",
    "EpisodeSummary",
    "JointEnv",
    "JointVectorEnv",
    "ModelError",
    "RecordEpisodes",
    "RewardComponents",
    "TextInfos",
    "__version__",
    "answers",
    "batched_parallel_env",
    "econ_v0",
    "env",
    "parallel_env",
    "raw_env",
]

register_all()
