"""The belief encoder (paper, section 3.3): turns all beliefs into one representation E."""

from __future__ import annotations

from torch import Tensor, nn

from econ_agents.config.learning import NetworkSettings
from econ_agents.networks.attention import AttentionBlock


class BeliefEncoder(nn.Module):
    """E = f_e({b_i}): multi-head attention over the beliefs, averaged over the executors.

    It works for any number of executors. Permuting them permutes their encodings and leaves E
    unchanged.

    Args:
        settings: number of blocks and their sizes; E has ``entity_dim`` values.
        belief_dim: size of a belief.
    """

    def __init__(self, settings: NetworkSettings, *, belief_dim: int) -> None:
        super().__init__()
        size = settings.entity_dim
        self.embed = nn.Linear(belief_dim, size)
        self.blocks = nn.Sequential(*(AttentionBlock(settings) for _ in range(settings.blocks)))
        normalise = nn.LayerNorm(size, eps=settings.layer_norm_eps)
        self.out = nn.Sequential(normalise, nn.Linear(size, size))

    def forward(self, beliefs: Tensor) -> Tensor:
        """Encode beliefs ``(n_agents, batch, belief_dim)`` as E ``(batch, entity_dim)``."""
        return self.each(beliefs).mean(dim=1)

    def each(self, beliefs: Tensor) -> Tensor:
        """Encodings of the executors, whose mean is E: ``(batch, n_agents, entity_dim)``."""
        encoded: Tensor = self.out(self.blocks(self.embed(beliefs.transpose(0, 1))))
        return encoded
