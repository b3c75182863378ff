"""Self-attention among the executors of a team."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AttentionBlock(nn.Module):
    """Multi-head self-attention and a feed-forward layer, each normalised before and added on.

    No code of positions: whoever permutes the tokens permutes the result.

    Args:
        size: features of a token.
        heads: attention heads.
        key_dim: size of the queries, keys and values of one head.
        feed_forward: width of the feed-forward layer.
        dropout: share of the values that is dropped while training.
        layer_norm_eps: of both normalisations.
    """

    def __init__(
        self,
        *,
        size: int,
        heads: int,
        key_dim: int,
        feed_forward: int,
        dropout: float,
        layer_norm_eps: float,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(size, eps=layer_norm_eps)
        self.query_key_value = nn.Linear(size, 3 * heads * key_dim)
        self.out = nn.Linear(heads * key_dim, size)
        self.before_feed_forward = nn.LayerNorm(size, eps=layer_norm_eps)
        self.feed_forward = nn.Sequential(
            nn.Linear(size, feed_forward), nn.SiLU(), nn.Linear(feed_forward, size)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(batch, n_agents, size)`` to the same shape."""
        projected = self.query_key_value(self.before_attention(tokens))
        # (3, batch, heads, n_agents, key_dim)
        query, key, value = projected.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # Written out: for three tokens this is faster than torch's fused attention, and its last
        # bits do not depend on which kernel a machine chooses.
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        attended = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).flatten(-2)
        tokens = tokens + self.dropout(self.out(attended))
        fed: Tensor = self.dropout(self.feed_forward(self.before_feed_forward(tokens)))
        return tokens + fed
