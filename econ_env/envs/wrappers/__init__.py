"""Optional wrappers of the PettingZoo environment, which may go around each other in any order."""

from econ_env.envs.wrappers.discrete_actions import DiscreteActions
from econ_env.envs.wrappers.episode_statistics import EpisodeStatistics, EpisodeSummary
from econ_env.envs.wrappers.record_episodes import RecordEpisodes
from econ_env.envs.wrappers.reward_components import RewardComponents
from econ_env.envs.wrappers.text_infos import TEXT_KEYS, TextInfos

__all__ = [
    "TEXT_KEYS",
    "DiscreteActions",
    "EpisodeStatistics",
    "EpisodeSummary",
    "RecordEpisodes",
    "RewardComponents",
    "TextInfos",
]
