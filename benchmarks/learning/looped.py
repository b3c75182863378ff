"""A learner with a Python loop over the executors, the baseline for the stacked one.

Every executor has its own belief network. Its belief, action, value, losses and deviations are
computed one executor at a time. All else is as in the stacked learner, so losses and steps are
equal.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

import torch
from torch import Tensor, nn

from econ_agents.algorithm import learner, losses
from econ_agents.algorithm.learner import Learner
from econ_agents.algorithm.replay_buffer import Batch
from econ_agents.networks import TeamNetworks
from econ_agents.networks.belief import BeliefNetworks

LOSSES_OF_EXECUTORS = (
    *("local_td_loss", "consistency_loss", "action_regulariser", "equilibrium_loss"),
    "best_response_loss",
)
"""Losses that are sums over the executors."""


class LoopedBeliefs(nn.Module):
    """One belief network per executor, evaluated one after the other.

    Args:
        stacked: networks whose parameters are copied.
        team: networks of the same shape for one executor, one per executor.
    """

    def __init__(self, stacked: BeliefNetworks, team: list[BeliefNetworks]) -> None:
        super().__init__()
        self.own = nn.ModuleList(team)
        self._team = tuple(team)
        self.value_head = nn.ModuleList(network.value_head for network in team)
        state = stacked.state_dict()
        for agent, network in enumerate(team):
            network.load_state_dict({name: value[[agent]] for name, value in state.items()})

    def forward(self, moments: Tensor, known: Tensor) -> Tensor:
        """Return beliefs; see the stacked networks."""
        return torch.cat([own(moments[[i]], known) for i, own in enumerate(self._team)])

    def actions(self, beliefs: Tensor) -> Tensor:
        """Return the sampling actions e_i of all executors."""
        return torch.cat([own.actions(beliefs[[i]]) for i, own in enumerate(self._team)])

    def values(self, beliefs: Tensor, actions: Tensor) -> Tensor:
        """Return the values Q_i of all executors."""
        pairs = enumerate(self._team)
        return torch.cat([own.values(beliefs[[i]], actions[[i]]) for i, own in pairs])

    def stacked_parameters(self) -> dict[str, Tensor]:
        """Return the parameters under the stacked networks' names."""
        states = [own.state_dict() for own in self.own]
        return {name: torch.cat([state[name] for state in states]) for name in states[0]}


def looped_networks(networks: TeamNetworks) -> TeamNetworks:
    """Return a copy of networks with a loop in place of the stack."""
    config, shapes = networks.config, networks.shapes
    copies = TeamNetworks(config, shapes)
    copies.load_state_dict(networks.state_dict())
    alone = replace(shapes, n_agents=1)
    team = [TeamNetworks(config, alone).beliefs for _ in range(shapes.n_agents)]
    copies.beliefs = LoopedBeliefs(networks.beliefs, team)  # type: ignore[assignment]
    return copies


class LoopedLearner(Learner):
    """A learner that computes executors one by one; it takes looped networks."""

    def update(self, batch: Batch) -> dict[str, float]:
        """Take one step; see :meth:`Learner.update`."""
        with ExitStack() as changed:
            changed.enter_context(patch.object(learner, "best_deviations", looped_deviations))
            for name in LOSSES_OF_EXECUTORS:
                looped = _one_by_one(getattr(losses, name))
                changed.enter_context(patch.object(losses, name, looped))
            return super().update(batch)


def looped_deviations(
    networks: TeamNetworks,
    beliefs: Tensor,
    actions: Tensor,
    team: Tensor,
    state: Tensor,
    candidates: Tensor,
) -> tuple[Tensor, Tensor]:
    """Compute ``q_deviations.best_deviations`` for one executor and one deviation at a time."""
    best, chosen = [], []
    with torch.no_grad():
        for agent in range(len(actions)):
            totals = []
            for candidate in candidates:
                profile = actions.clone()
                profile[agent] = candidate[agent]
                totals.append(networks.mix(beliefs, profile, team, state).total)
            total, which = torch.stack(totals).max(dim=0)
            best.append(total)
            chosen.append(candidates[which, agent, torch.arange(len(which))])
    return torch.stack(best), torch.stack(chosen)


def _one_by_one(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a loss that is computed for each executor alone and summed."""

    def summed(first: Tensor, *rest: Tensor | float) -> Tensor:
        each = [
            loss(*(_of_executor(agent, part) for part in (first, *rest)))
            for agent in range(len(first))
        ]
        return torch.stack(each).sum()

    return summed


def _of_executor(agent: int, part: Tensor | float) -> Tensor | float:
    """Select one executor; values of shape (batch,) and numbers have no axis of executors."""
    return part[[agent]] if isinstance(part, Tensor) and part.ndim > 1 else part
