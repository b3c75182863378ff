"""Environments as the learner sees them: B teams that play side by side, in arrays.

:func:`make_teams` makes them from the name of a factory. An environment with a batch axis is
stepped as it is (:class:`NativeBatch`); of any other environment, B copies are stepped one after
the other (:class:`SyncBatch`).
"""

from econ_agents.environments.factory import arguments_of, load_factory, make_teams
from econ_agents.environments.native import BatchedParallelEnv, NativeBatch
from econ_agents.environments.protocol import COMMITMENT_PERIOD, FAILED, TEAM_REWARD, Moment, Teams
from econ_agents.environments.questions import Asked
from econ_agents.environments.space import ActionPart, EnvironmentMisfit, TeamSpace
from econ_agents.environments.sync import SyncBatch

__all__ = [
    "COMMITMENT_PERIOD",
    "FAILED",
    "TEAM_REWARD",
    "ActionPart",
    "Asked",
    "BatchedParallelEnv",
    "EnvironmentMisfit",
    "Moment",
    "NativeBatch",
    "SyncBatch",
    "TeamSpace",
    "Teams",
    "arguments_of",
    "load_factory",
    "make_teams",
]
