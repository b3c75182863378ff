"""The same learner with a Python loop over the executors, as one would first write it.

Every executor has a belief network of its own and is asked by itself: for its belief, its action,
its value, and for each deviation that it might make. Nothing else differs, so that
losses and steps come out equal.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from econ_agents import losses
from econ_agents.buffer import Batch
from econ_agents.learner import Learner, frozen
from econ_agents.networks import TeamNetworks
from econ_agents.networks.belief import BeliefNetworks
from econ_agents.seeds import torch_generator


class LoopedBeliefs(nn.Module):
    """One belief network per executor, evaluated one after the other.

    Args:
        stacked: whose parameters are copied.
        team: made like it for one executor, once for each.
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
        """Beliefs; see the stacked networks."""
        return torch.cat([own(moments[[i]], known) for i, own in enumerate(self._team)])

    def actions(self, beliefs: Tensor) -> Tensor:
        """e_i."""
        return torch.cat([own.actions(beliefs[[i]]) for i, own in enumerate(self._team)])

    def values(self, beliefs: Tensor, actions: Tensor) -> Tensor:
        """Q_i."""
        pairs = enumerate(self._team)
        return torch.cat([own.values(beliefs[[i]], actions[[i]]) for i, own in pairs])

    def stacked_parameters(self) -> dict[str, Tensor]:
        """The parameters by the stacked networks' names."""
        states = [own.state_dict() for own in self.own]
        return {name: torch.cat([state[name] for state in states]) for name in states[0]}


def looped_networks(networks: TeamNetworks) -> TeamNetworks:
    """A copy with a loop in place of the stack."""
    alone = replace(networks.sizes, n_agents=1)
    copies = TeamNetworks(networks.sizes)
    copies.load_state_dict(networks.state_dict())
    team = [TeamNetworks(alone).beliefs for _ in range(networks.sizes.n_agents)]
    copies.beliefs = LoopedBeliefs(networks.beliefs, team)  # type: ignore[assignment]
    return copies


class LoopedLearner(Learner):
    """A learner that goes through the executors one by one."""

    def _policy_losses(self, batch: Batch, beliefs: Tensor) -> dict[str, Tensor]:
        networks = self.networks
        with frozen(networks.beliefs.value_head, networks.encoder, networks.mixer):
            fixed = beliefs.detach()
            team = networks.encoder(fixed)
            actions = networks.beliefs.actions(beliefs)
            chosen = networks.mix(fixed, actions, team, batch.states).total
            generator = torch_generator(self.settings.seed, "deviations", self.updates)
            shape = (self.settings.deviation_candidates, *actions.shape)
            candidates = 2 * torch.rand(shape, generator=generator) - 1
            best = torch.stack(
                [
                    self._best_deviation(agent, batch, fixed, actions.detach(), team, candidates)
                    for agent in range(len(beliefs))
                ]
            )
            gains = [losses.equilibrium_loss(best[[i]], chosen) for i in range(len(beliefs))]
            sizes = [losses.action_regulariser(actions[[i]]) for i in range(len(beliefs))]
            return {
                "policy": losses.policy_loss(chosen),
                "action_regulariser": torch.stack(sizes).sum(),
                "equilibrium": torch.stack(gains).sum(),
                "commitment_improvement": self._improvement(batch, fixed, team),
            }

    def _best_deviation(
        self,
        agent: int,
        batch: Batch,
        beliefs: Tensor,
        actions: Tensor,
        team: Tensor,
        candidates: Tensor,
    ) -> Tensor:
        """Q_tot at the best of the candidates of one executor, ``(batch,)``."""
        totals = []
        with torch.no_grad():
            for candidate in candidates:
                profile = actions.clone()
                profile[agent] = candidate[agent]
                totals.append(self.networks.mix(beliefs, profile, team, batch.states).total)
        return torch.stack(totals).amax(dim=0)
