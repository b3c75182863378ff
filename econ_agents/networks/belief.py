"""Belief networks (paper, section 3.2): from an executor's observations to b_i, e_i and Q_i."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from econ_agents.config.learning import NetworkSettings
from econ_agents.networks.stacked import StackedGRUCell, StackedLinear, StackedNorm


class BeliefNetworks(nn.Module):
    """One belief network per executor, all evaluated together.

    A network reads the *moments* of its executor, oldest first: its memory and, last, the
    observation it has to act on. A moment is (observation | action taken on it | 1 if one was taken
    else 0). An MLP encodes each moment, a GRU runs over them, and its last state is the belief b_i.
    Heads::

        e_i = 2 sigmoid(W b_i + c) - 1        in the units of the action box, [-1, 1]
        Q_i = MLP(b_i, e_i)                   so the policy gets a gradient through its action

    e_i is the paper's T_min + (T_max - T_min) sigmoid(W_T b_i + b_T), and the same for p, with
    T_min and T_max at -1 and 1. An untrained network acts in the middle of the box.

    Dropout and normalisation in the value head keep the values smooth when rewards are few and
    noisy (Hiraoka et al. 2022). In an embedding, the traits of a single question sit in single
    numbers, those of its kind in many: ``observation_dropout`` hides the former. Shared parameters
    serve any number of executors, which may then differ between training and use.

    Args:
        settings: sizes of the layers; an encoded moment has ``entity_dim`` values.
        n_agents: executors, each with its own parameters unless they share them.
        moment_size: values of one moment.
        action_size: values of one action.
        belief_dim: size d of b_i.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        *,
        n_agents: int,
        moment_size: int,
        action_size: int,
        belief_dim: int,
    ) -> None:
        super().__init__()
        shared = settings.share_parameters
        copies = 1 if shared else n_agents
        hidden, eps = settings.hidden, settings.layer_norm_eps
        self.belief_dim = belief_dim
        self.identity_size = 2 * settings.agent_frequencies if shared else 0
        self.overlook = nn.Dropout(settings.observation_dropout)
        self.read = nn.Sequential(
            StackedLinear(copies, moment_size + self.identity_size, hidden),
            StackedNorm(copies, hidden, eps),
            nn.SiLU(),
            StackedLinear(copies, hidden, settings.entity_dim),
            nn.SiLU(),
        )
        self.remember = StackedGRUCell(copies, settings.entity_dim, belief_dim)
        self.action_head = StackedLinear(copies, belief_dim, action_size)
        with torch.no_grad():
            self.action_head.weight.mul_(0.1)
            self.action_head.bias.zero_()
        self.action_frequencies = settings.action_frequencies
        features = action_size * (1 + 2 * self.action_frequencies)
        self.value_head = nn.Sequential(
            StackedLinear(copies, belief_dim + features, hidden),
            nn.Dropout(settings.dropout),
            StackedNorm(copies, hidden, eps),
            nn.SiLU(),
            StackedLinear(copies, hidden, hidden),
            nn.Dropout(settings.dropout),
            StackedNorm(copies, hidden, eps),
            nn.SiLU(),
            StackedLinear(copies, hidden, 1),
        )

    def forward(self, moments: Tensor, known: Tensor) -> Tensor:
        """Return the beliefs ``(n_agents, batch, belief_dim)``.

        Args:
            moments: ``(n_agents, batch, length, moment_size)``, oldest first, the present last.
            known: mask ``(batch, length)``, False where the memory is still empty.
        """
        n_agents, batch, length, _ = moments.shape
        if self.identity_size:
            codes = agent_codes(n_agents, self.identity_size, moments)
            codes = codes[:, None, None].expand(-1, batch, length, -1)
            moments = torch.cat([moments, codes], dim=-1)
        entities = self.read(self.overlook(moments).flatten(1, 2)).unflatten(1, (batch, length))
        belief = moments.new_zeros(n_agents, batch, self.belief_dim)
        for step in range(length):
            seen = self.remember(entities[:, :, step], belief)
            belief = torch.where(known[None, :, step, None], seen, belief)
        return belief

    def actions(self, beliefs: Tensor) -> Tensor:
        """Actions e_i in [-1, 1], ``(n_agents, batch, action_size)``."""
        return 2 * torch.sigmoid(self.action_head(beliefs)) - 1

    def values(self, beliefs: Tensor, actions: Tensor) -> Tensor:
        """Values Q_i(b_i, e_i), ``(n_agents, batch)``."""
        features = action_features(actions, self.action_frequencies)
        value: Tensor = self.value_head(torch.cat([beliefs, features], dim=-1))
        return value.squeeze(-1)


def action_features(actions: Tensor, frequencies: int) -> Tensor:
    """Fourier features of actions: the actions, then their sines and cosines.

    The frequencies are quarter turns per unit of an action and their multiples up to k.

    Args:
        actions: ``(..., action_size)`` in [-1, 1].
        frequencies: number k of sines and of cosines per coordinate; 0 returns the actions alone.

    Returns:
        ``(..., action_size * (1 + 2 k))``.
    """
    if not frequencies:
        return actions
    turns = [math.pi * (k + 1) / 2 * actions for k in range(frequencies)]
    waves = [wave for turn in turns for wave in (torch.sin(turn), torch.cos(turn))]
    return torch.cat([actions, *waves], dim=-1)


def agent_codes(n_agents: int, size: int, like: Tensor) -> Tensor:
    """Codes of the agents' numbers, for any number of agents: ``(n_agents, size)``.

    They are sines and cosines at several frequencies (Vaswani et al. 2017, section 3.5).
    """
    number = torch.arange(n_agents, dtype=like.dtype, device=like.device)[:, None]
    frequency = torch.exp(
        torch.arange(0, size, 2, dtype=like.dtype, device=like.device) * (-math.log(100.0) / size)
    )
    return torch.cat([torch.sin(number * frequency), torch.cos(number * frequency)], dim=-1)
