"""What deviating alone is believed to gain: a small search over one executor's action at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from econ_agents.networks import TeamNetworks


def best_deviations(
    networks: TeamNetworks,
    beliefs: Tensor,
    actions: Tensor,
    team: Tensor,
    state: Tensor,
    candidates: Tensor,
) -> tuple[Tensor, Tensor]:
    """The best of some actions for every executor while the others keep theirs.

    Args:
        networks: whose Q_tot is searched.
        beliefs: ``(n_agents, batch, belief_dim)``.
        actions: the profile that is deviated from, ``(n_agents, batch, action_size)``.
        team: E, ``(batch, team_size)``.
        state: ``(batch, state_size)``.
        candidates: ``(count, n_agents, batch, action_size)``: what each executor might do instead.

    Returns:
        Q_tot at the best deviation of every executor, ``(n_agents, batch)``, and that executor's
        action there, ``(n_agents, batch, action_size)``. No gradient.
    """
    count, n_agents, batch, size = candidates.shape
    with torch.no_grad():
        # Row (d, k, b) of the profiles: executor d plays its candidate k in decision b.
        profiles = actions.expand(n_agents, count, *actions.shape).clone()
        for deviator in range(n_agents):
            profiles[deviator, :, deviator] = candidates[:, deviator]
        flat = profiles.permute(2, 0, 1, 3, 4).reshape(n_agents, -1, size)
        copies = n_agents * count
        totals = networks.mix(
            beliefs.repeat(1, copies, 1), flat, team.repeat(copies, 1), state.repeat(copies, 1)
        ).total.view(n_agents, count, batch)
        best, which = totals.max(dim=1)
        index = which[None, :, :, None].expand(1, -1, -1, size)
        chosen = candidates.gather(0, index).squeeze(0)
    return best, chosen
