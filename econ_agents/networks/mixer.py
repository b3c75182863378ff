"""The mixing network (paper, section 3.4): mixes the executors' values into the team's value."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, softplus

from econ_agents.config.learning import NetworkSettings
from econ_agents.networks.attention import AttentionBlock


class Mixed(NamedTuple):
    """Output of the mixer."""

    total: Tensor
    """Team values Q_tot, ``(batch,)``."""
    features: Tensor
    """Features F_i, ``(batch, n_agents, entity_dim)``."""


class Mixer(nn.Module):
    """Mixing network: Q_tot from {Q_i}, {e_i}, E and the state, monotone in every Q_i.

    ::

        {w_i} = self-attention over {e_i}          F_i = MLP(w_i | E)
        h     = elu( mean_i |K(F_i)| Q_i + c(mean_i F_i) )
        Q_tot = mean( |L(mean_i F_i)| h ) + V(E | state)

    |.| is a softplus, so that dQ_tot/dQ_i >= 0 (proposition B.9): no executor's value can rise
    while the team's falls. The features only set the weight of each executor. The result does not
    depend on the order of the executors, and any number of them will do.

    Args:
        settings: sizes; E, F_i and the tokens have ``entity_dim`` values, h ``mixing_units``.
        action_size: values of an action.
        state_size: values of the environment's state.
        target_size: size of the commitment's embedding, to which F_i is projected for L_SD; 0 if
            there is no embedding to compare with.
    """

    def __init__(
        self, settings: NetworkSettings, *, action_size: int, state_size: int, target_size: int
    ) -> None:
        super().__init__()
        size, hidden = settings.entity_dim, settings.hidden
        self.embed_action = nn.Linear(action_size, size)
        self.attention = AttentionBlock(settings)
        self.transform = nn.Sequential(
            nn.Linear(size + size, hidden), nn.SiLU(), nn.Linear(hidden, size)
        )
        self.weight_of_value = nn.Linear(size, settings.mixing_units)
        self.offset = nn.Linear(size, settings.mixing_units)
        self.weight_of_unit = nn.Linear(size, settings.mixing_units)
        base = nn.Linear(hidden, 1)
        self.base_value = nn.Sequential(nn.Linear(size + state_size, hidden), nn.SiLU(), base)
        self.project = nn.Linear(size, target_size) if target_size else None
        with torch.no_grad():
            # Untrained, Q_tot is close to the mean of the Q_i (softplus(0.54) = 1).
            for layer in (self.weight_of_value, self.weight_of_unit):
                layer.weight.mul_(0.1)
                layer.bias.fill_(0.54)
            base.weight.mul_(0.1)
            base.bias.zero_()

    def forward(self, values: Tensor, actions: Tensor, team: Tensor, state: Tensor) -> Mixed:
        """Mix the executors' values into Q_tot.

        Args:
            values: Q_i, ``(n_agents, batch)``.
            actions: e_i, ``(n_agents, batch, action_size)``.
            team: E, ``(batch, entity_dim)``.
            state: ``(batch, state_size)``.
        """
        return self.mix(values, self.features(actions, team), self.base(team, state))

    def mix(self, values: Tensor, features: Tensor, base: Tensor) -> Mixed:
        """Mix values, given F_i and ``base`` = V(E, state), ``(batch,)``, free of any action."""
        pooled = features.mean(dim=1)
        shares = softplus(self.weight_of_value(features))
        hidden = elu((shares * values.T.unsqueeze(-1)).mean(dim=1) + self.offset(pooled))
        mixed = (softplus(self.weight_of_unit(pooled)) * hidden).mean(dim=-1)
        return Mixed(mixed + base, features)

    def base(self, team: Tensor, state: Tensor) -> Tensor:
        """Base value V(E, state), ``(batch,)``."""
        value: Tensor = self.base_value(torch.cat([team, state], dim=-1))
        return value.squeeze(-1)

    def features(self, actions: Tensor, team: Tensor) -> Tensor:
        """Features F_i, ``(batch, n_agents, entity_dim)``."""
        attended = self.attention(self.embed_action(actions.transpose(0, 1)))
        teams = team.unsqueeze(1).expand(-1, attended.shape[1], -1)
        features: Tensor = self.transform(torch.cat([attended, teams], dim=-1))
        return features
