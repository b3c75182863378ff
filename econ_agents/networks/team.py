"""All networks of a team, made from the configuration and the environment's sizes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from econ_agents.config.schema import Config
from econ_agents.networks.belief import BeliefNetworks
from econ_agents.networks.encoder import BeliefEncoder
from econ_agents.networks.mixer import Mixed, Mixer
from econ_agents.networks.refine import RefineModule


@dataclass(frozen=True, kw_only=True)
class TeamShapes:
    """Sizes that follow from the environment: number of agents and sizes of the spaces."""

    n_agents: int
    observation_size: int
    action_size: int
    state_size: int
    seen_size: int
    """Values of an observation that refinement reads: response and commitment, or all of it."""
    target_size: int
    """Values of the commitment's embedding; 0 if the environment does not name them."""

    @property
    def moment_size(self) -> int:
        """Values of a moment: observation, action taken on it, and a flag that one was taken."""
        return self.observation_size + self.action_size + 1


class TeamNetworks(nn.Module):
    """Belief networks, encoder, mixer and refinement of one team.

    Beliefs, values and actions are ``(n_agents, batch, ...)``; E, states and Q_tot have no axis of
    agents.

    Args:
        config: the configuration; ``network.*``, ``belief_dim`` and ``bne.max_delta`` are used.
        shapes: sizes that follow from the environment.
    """

    def __init__(self, config: Config, shapes: TeamShapes) -> None:
        super().__init__()
        self.config = config
        self.shapes = shapes
        network, belief_dim = config.network, config.belief_dim
        self.beliefs = BeliefNetworks(
            network,
            n_agents=shapes.n_agents,
            moment_size=shapes.moment_size,
            action_size=shapes.action_size,
            belief_dim=belief_dim,
        )
        self.encoder = BeliefEncoder(network, belief_dim=belief_dim)
        self.mixer = Mixer(
            network,
            action_size=shapes.action_size,
            state_size=shapes.state_size,
            target_size=shapes.target_size,
        )
        self.refine = RefineModule(
            network,
            belief_dim=belief_dim,
            seen_size=shapes.seen_size,
            action_size=shapes.action_size,
            max_delta=config.bne.max_delta,
        )

    def mix(self, beliefs: Tensor, actions: Tensor, team: Tensor, state: Tensor) -> Mixed:
        """Evaluate Q_i of ``actions`` and mix them: Q_tot and the features."""
        mixed: Mixed = self.mixer(self.beliefs.values(beliefs, actions), actions, team, state)
        return mixed


def make_networks(config: Config, shapes: TeamShapes, seed: int) -> TeamNetworks:
    """Make networks with parameters drawn from ``seed``; torch's global state is left unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TeamNetworks(config, shapes)
