"""Self-attention among the executors of a team."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from econ_agents.config.learning import NetworkSettings


class AttentionBlock(nn.Module):
    """Multi-head self-attention and a feed-forward layer, both pre-normalised and residual.

    There is no positional encoding: permuting the tokens permutes the result.

    Args:
        settings: the sizes; tokens have ``entity_dim`` features.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        size, attended = settings.entity_dim, settings.heads * settings.key_dim
        self.heads = settings.heads
        self.before_attention = nn.LayerNorm(size, eps=settings.layer_norm_eps)
        self.query_key_value = nn.Linear(size, 3 * attended)
        self.out = nn.Linear(attended, size)
        self.before_feed_forward = nn.LayerNorm(size, eps=settings.layer_norm_eps)
        self.feed_forward = nn.Sequential(
            nn.Linear(size, settings.ffn), nn.SiLU(), nn.Linear(settings.ffn, size)
        )
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend over the agents; input and output are ``(batch, n_agents, entity_dim)``."""
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
