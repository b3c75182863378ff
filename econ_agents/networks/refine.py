"""Refinement between the rounds of a decision: a small change of action after a commitment."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from econ_agents.config.learning import NetworkSettings


class RefineModule(nn.Module):
    """Refinement network: moves every action a little, given the last response and commitment.

    ::

        delta e_i = max_delta tanh(MLP(b_i | own response | commitment | E | e_i))
        e_i      <- clip(e_i + eta delta e_i, -1, 1)

    One network serves all executors; their beliefs tell them apart. An untrained network moves no
    action.

    Args:
        settings: size of E and width of the MLP.
        belief_dim: size of b_i.
        seen_size: numbers of the last round in an observation (response and commitment).
        action_size: size of e_i.
        max_delta: largest change of a coordinate, in the units of the action box.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        *,
        belief_dim: int,
        seen_size: int,
        action_size: int,
        max_delta: float,
    ) -> None:
        super().__init__()
        self.max_delta = max_delta
        hidden = settings.hidden
        last = nn.Linear(hidden, action_size)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.move = nn.Sequential(
            nn.Linear(belief_dim + seen_size + settings.entity_dim + action_size, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            last,
        )

    def forward(
        self, beliefs: Tensor, seen: Tensor, team: Tensor, actions: Tensor, rate: float
    ) -> Tensor:
        """Return the next actions, ``(n_agents, batch, action_size)``.

        Args:
            beliefs: ``(n_agents, batch, belief_dim)``.
            seen: ``(n_agents, batch, seen_size)``.
            team: E, ``(batch, entity_dim)``.
            actions: actions of the last round, ``(n_agents, batch, action_size)``.
            rate: eta, the share of the change that is made.
        """
        teams = team.unsqueeze(0).expand(len(beliefs), -1, -1)
        inputs = torch.cat([beliefs, seen, teams, actions], dim=-1)
        change = self.max_delta * torch.tanh(self.move(inputs))
        return (actions + rate * change).clamp(-1, 1)
