"""Refinement between the rounds of a decision: how an executor moves after a commitment."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from econ_agents.config.learning import NetworkSettings


class RefineModule(nn.Module):
    """Moves every action a little, given what came of it.

    ::

        delta e_i = max_delta tanh(MLP(b_i | own response | commitment | E | e_i))
        e_i      <- clip(e_i + eta delta e_i, -1, 1)

    One network for all executors; their beliefs tell them apart. Untrained, nobody moves.

    Args:
        settings: the size of E and the width of the MLP.
        belief_dim, action_size: sizes of b_i and e_i.
        seen_size: of what an executor sees of the last round (response and commitment).
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
        """The next actions, ``(n_agents, batch, action_size)``.

        Args:
            beliefs: ``(n_agents, batch, belief_dim)``.
            seen: ``(n_agents, batch, seen_size)``.
            team: E, ``(batch, entity_dim)``.
            actions: those of the last round, ``(n_agents, batch, action_size)``.
            rate: eta, share of the change that is made.
        """
        teams = team.unsqueeze(0).expand(len(beliefs), -1, -1)
        inputs = torch.cat([beliefs, seen, teams, actions], dim=-1)
        change = self.max_delta * torch.tanh(self.move(inputs))
        return (actions + rate * change).clamp(-1, 1)
