"""The belief encoder (paper, section 3.3): all beliefs to one representation E of the team."""

from __future__ import annotations

from torch import Tensor, nn

from econ_agents.networks.attention import AttentionBlock


class BeliefEncoder(nn.Module):
    """E = f_e({b_i}): multi-head attention over the beliefs, averaged over the executors.

    Works for any number of executors. Permuting them permutes their own encodings and leaves E as
    it is.

    Args:
        belief_dim: size of a belief.
        size: of E, and of the tokens in between.
        blocks: attention blocks, each as :class:`~econ_agents.networks.attention.AttentionBlock`.
        heads, key_dim, feed_forward, dropout, layer_norm_eps: of every block.
    """

    def __init__(
        self,
        *,
        belief_dim: int,
        size: int,
        blocks: int,
        heads: int,
        key_dim: int,
        feed_forward: int,
        dropout: float,
        layer_norm_eps: float,
    ) -> None:
        super().__init__()
        self.size = size
        self.embed = nn.Linear(belief_dim, size)
        self.blocks = nn.Sequential(
            *(
                AttentionBlock(
                    size=size,
                    heads=heads,
                    key_dim=key_dim,
                    feed_forward=feed_forward,
                    dropout=dropout,
                    layer_norm_eps=layer_norm_eps,
                )
                for _ in range(blocks)
            )
        )
        self.out = nn.Sequential(nn.LayerNorm(size, eps=layer_norm_eps), nn.Linear(size, size))

    def forward(self, beliefs: Tensor) -> Tensor:
        """Beliefs ``(n_agents, batch, belief_dim)`` to E ``(batch, size)``."""
        return self.each(beliefs).mean(dim=1)

    def each(self, beliefs: Tensor) -> Tensor:
        """The executors' own encodings, whose mean is E: ``(batch, n_agents, size)``."""
        encoded: Tensor = self.out(self.blocks(self.embed(beliefs.transpose(0, 1))))
        return encoded
