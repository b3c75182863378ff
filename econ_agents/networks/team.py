"""All networks of a team, made from one description of sizes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from econ_agents.networks.belief import BeliefNetworks
from econ_agents.networks.encoder import BeliefEncoder
from econ_agents.networks.mixer import Mixed, Mixer
from econ_agents.networks.refine import RefineModule


@dataclass(frozen=True, kw_only=True)
class NetworkSizes:
    """Everything that decides the shapes of the networks (paper, tables 8 to 13)."""

    n_agents: int
    observation_size: int
    action_size: int
    state_size: int
    seen_size: int
    """Values of an observation that refinement reads: response and commitment, where named."""
    target_size: int
    """Values of the commitment's embedding; 0 where the environment does not name them."""
    belief_dim: int = 128
    entity_dim: int = 256
    heads: int = 4
    key_dim: int = 64
    hidden: int = 256
    blocks: int = 2
    feed_forward: int = 1024
    mixing_units: int = 32
    dropout: float = 0.1
    observation_dropout: float = 0.0
    action_frequencies: int = 0
    layer_norm_eps: float = 1e-5
    share_parameters: bool = False
    max_delta: float = 0.2

    @property
    def moment_size(self) -> int:
        """Values of a moment: observation, action taken there, and whether one was."""
        return self.observation_size + self.action_size + 1


class TeamNetworks(nn.Module):
    """Belief networks, encoder, mixer and refinement of one team.

    Beliefs, values and actions are ``(n_agents, batch, ...)``; E, states and Q_tot have no axis of
    agents.
    """

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.sizes = sizes
        attention = {
            "heads": sizes.heads,
            "key_dim": sizes.key_dim,
            "feed_forward": sizes.feed_forward,
        }
        self.beliefs = BeliefNetworks(
            n_agents=sizes.n_agents,
            moment_size=sizes.moment_size,
            action_size=sizes.action_size,
            belief_dim=sizes.belief_dim,
            entity_dim=sizes.entity_dim,
            hidden=sizes.hidden,
            dropout=sizes.dropout,
            observation_dropout=sizes.observation_dropout,
            action_frequencies=sizes.action_frequencies,
            layer_norm_eps=sizes.layer_norm_eps,
            share_parameters=sizes.share_parameters,
        )
        self.encoder = BeliefEncoder(
            belief_dim=sizes.belief_dim,
            size=sizes.entity_dim,
            blocks=sizes.blocks,
            dropout=sizes.dropout,
            layer_norm_eps=sizes.layer_norm_eps,
            **attention,
        )
        self.mixer = Mixer(
            action_size=sizes.action_size,
            team_size=sizes.entity_dim,
            state_size=sizes.state_size,
            size=sizes.entity_dim,
            hidden=sizes.hidden,
            mixing_units=sizes.mixing_units,
            target_size=sizes.target_size,
            dropout=sizes.dropout,
            layer_norm_eps=sizes.layer_norm_eps,
            **attention,
        )
        self.refine = RefineModule(
            belief_dim=sizes.belief_dim,
            seen_size=sizes.seen_size,
            team_size=sizes.entity_dim,
            action_size=sizes.action_size,
            hidden=sizes.hidden,
            max_delta=sizes.max_delta,
        )

    def mix(self, beliefs: Tensor, actions: Tensor, team: Tensor, state: Tensor) -> Mixed:
        """Q_tot and the features, of the local values of ``actions``."""
        mixed: Mixed = self.mixer(self.beliefs.values(beliefs, actions), actions, team, state)
        return mixed


def make_networks(sizes: NetworkSizes, seed: int) -> TeamNetworks:
    """Networks with parameters drawn from ``seed``; torch's global random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TeamNetworks(sizes)
