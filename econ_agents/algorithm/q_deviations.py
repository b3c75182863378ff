"""What deviating alone is believed to gain: a small search over one executor's action at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from econ_agents.networks import Mixed, TeamNetworks


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
        own = candidates.transpose(0, 1).reshape(n_agents, -1, size)
        own_values = networks.beliefs.values(beliefs.repeat(1, count, 1), own)
        kept_values = networks.beliefs.values(beliefs, actions)
        # Axes (executor, deviator, candidate, decision): a deviator changes its own entry only.
        deviates = torch.eye(n_agents, dtype=torch.bool, device=actions.device)[..., None, None]
        values = torch.where(
            deviates,
            own_values.view(n_agents, 1, count, batch),
            kept_values.view(n_agents, 1, 1, batch),
        )
        profiles = torch.where(
            deviates[..., None],
            own.view(n_agents, 1, count, batch, size),
            actions.view(n_agents, 1, 1, batch, size),
        )
        copies = n_agents * count
        mixer = networks.mixer
        features = mixer.features(profiles.reshape(n_agents, -1, size), team.repeat(copies, 1))
        base = mixer.base(team, state).repeat(copies)
        mixed: Mixed = mixer.mix(values.reshape(n_agents, -1), features, base)
        totals = mixed.total.view(n_agents, count, batch)
        best, which = totals.max(dim=1)
        index = which[None, :, :, None].expand(1, -1, -1, size)
        chosen = candidates.gather(0, index).squeeze(0)
    return best, chosen
