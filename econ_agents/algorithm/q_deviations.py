"""Best unilateral deviations under Q_tot, found by a small search over candidate actions."""

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
    """Find the best candidate action for every executor while the others keep theirs.

    Args:
        networks: the networks that compute Q_tot.
        beliefs: ``(n_agents, batch, belief_dim)``.
        actions: the profile from which executors deviate, ``(n_agents, batch, action_size)``.
        team: E, ``(batch, team_size)``.
        state: ``(batch, state_size)``.
        candidates: alternative actions, ``(count, n_agents, batch, action_size)``.

    Returns:
        Q_tot at the best deviation of every executor, ``(n_agents, batch)``, and the executor's
        action in that deviation, ``(n_agents, batch, action_size)``. No gradient.
    """
    count, n_agents, batch, size = candidates.shape
    with torch.no_grad():
        # Evaluate Q_i of each candidate and of the kept actions once; profiles then reuse both.
        own = candidates.transpose(0, 1).reshape(n_agents, -1, size)
        own_values = networks.beliefs.values(beliefs.repeat(1, count, 1), own)
        kept_values = networks.beliefs.values(beliefs, actions)
        # Build all profiles with one deviator. Axes are (executor, deviator, candidate, decision):
        # an executor plays its candidate where it is the deviator, and its kept action elsewhere.
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
        # Mix all profiles as one batch. V(E, state) has no actions in it: compute it once.
        copies = n_agents * count
        mixer = networks.mixer
        features = mixer.features(profiles.reshape(n_agents, -1, size), team.repeat(copies, 1))
        base = mixer.base(team, state).repeat(copies)
        mixed: Mixed = mixer.mix(values.reshape(n_agents, -1), features, base)
        totals = mixed.total.view(n_agents, count, batch)
        # Choose the candidate with the highest Q_tot for every deviator and decision.
        best, which = totals.max(dim=1)
        index = which[None, :, :, None].expand(1, -1, -1, size)
        chosen = candidates.gather(0, index).squeeze(0)
    return best, chosen
