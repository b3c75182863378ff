"""Layers for several agents at once: own parameters for each, one batched matmul for all.

Tensors are ``(n_agents, batch, features)``. A layer with ``copies=1`` is shared: one set of
parameters serves any number of agents.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """Linear layer ``y_i = x_i W_i + c_i`` for every agent i.

    Args:
        copies: number of agents, or 1 for parameters that all agents share.
        inputs: features of x.
        outputs: features of y.
    """

    def __init__(self, copies: int, inputs: int, outputs: int) -> None:
        super().__init__()
        # The distribution of torch.nn.Linear, for every copy.
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(copies, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(copies, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n_agents, batch, inputs)`` to ``(n_agents, batch, outputs)``."""
        weight: Tensor = self.weight
        if len(weight) == 1 != len(x):
            weight = weight.expand(len(x), -1, -1)
        return torch.baddbmm(self.bias.expand(len(x), -1, -1), x, weight)


class StackedNorm(nn.Module):
    """Layer normalisation over the features, with a gain and a shift per agent."""

    def __init__(self, copies: int, features: int, eps: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(copies, 1, features))
        self.shift = nn.Parameter(torch.zeros(copies, 1, features))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(n_agents, batch, features)``; the shape stays."""
        normal = nn.functional.layer_norm(x, x.shape[-1:], eps=self.eps)
        return normal * self.gain + self.shift


class StackedGRUCell(nn.Module):
    """One step of a gated recurrent unit for every agent (Cho et al. 2014, as torch.nn.GRUCell)."""

    def __init__(self, copies: int, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.from_input = StackedLinear(copies, inputs, 3 * hidden)
        self.from_hidden = StackedLinear(copies, hidden, 3 * hidden)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Return the next hidden state, from ``(n_agents, batch, inputs)`` and the last one."""
        reset_x, update_x, new_x = self.from_input(x).chunk(3, dim=-1)
        reset_h, update_h, new_h = self.from_hidden(hidden).chunk(3, dim=-1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + reset * new_h)
        return new + update * (hidden - new)
