"""The environment as the learner sees it: B teams that play next to each other, as arrays.

:func:`make_teams` makes it from the name of a factory. Environments that have a batch axis are
stepped as they are (:class:`NativeBatch`); of any other one, B copies are stepped one after the
other (:class:`SyncBatch`).
"""

from econ_agents.environments.factory import load_factory, make_teams
from econ_agents.environments.native import BatchedParallelEnv, NativeBatch
from econ_agents.environments.protocol import FAILED, TEAM_REWARD, Moment, Teams
from econ_agents.environments.space import ActionPart, EnvironmentMisfit, TeamSpace
from econ_agents.environments.sync import SyncBatch

__all__ = [
    "FAILED",
    "TEAM_REWARD",
    "ActionPart",
    "BatchedParallelEnv",
    "EnvironmentMisfit",
    "Moment",
    "NativeBatch",
    "SyncBatch",
    "TeamSpace",
    "Teams",
    "load_factory",
    "make_teams",
]
