"""A stacked layer is one layer of torch for every agent."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from econ_agents.networks.stacked import StackedGRUCell, StackedLinear, StackedNorm
from tests.econ_agents.builders import normal, shaken

AGENTS, BATCH, INPUTS, OUTPUTS = 3, 4, 5, 6


def test_a_linear_layer_is_that_of_torch_for_every_agent():
    stacked = StackedLinear(AGENTS, INPUTS, OUTPUTS)
    x = normal(0, AGENTS, BATCH, INPUTS)
    for agent in range(AGENTS):
        one = nn.Linear(INPUTS, OUTPUTS)
        with torch.no_grad():
            one.weight.copy_(stacked.weight[agent].T)
            one.bias.copy_(stacked.bias[agent, 0])
        torch.testing.assert_close(stacked(x)[agent], one(x[agent]))


def test_a_normalisation_is_that_of_torch_for_every_agent():
    stacked = shaken(StackedNorm(AGENTS, INPUTS, 1e-5), 0)
    x = normal(0, AGENTS, BATCH, INPUTS)
    for agent in range(AGENTS):
        one = nn.LayerNorm(INPUTS, eps=1e-5)
        with torch.no_grad():
            one.weight.copy_(stacked.gain[agent, 0])
            one.bias.copy_(stacked.shift[agent, 0])
        torch.testing.assert_close(stacked(x)[agent], one(x[agent]))


def test_a_recurrent_cell_is_that_of_torch_for_every_agent():
    stacked = shaken(StackedGRUCell(AGENTS, INPUTS, OUTPUTS), 0)
    x, hidden = normal(0, AGENTS, BATCH, INPUTS), normal(1, AGENTS, BATCH, OUTPUTS)
    for agent in range(AGENTS):
        one = nn.GRUCell(INPUTS, OUTPUTS)
        with torch.no_grad():
            one.weight_ih.copy_(stacked.from_input.weight[agent].T)
            one.bias_ih.copy_(stacked.from_input.bias[agent, 0])
            one.weight_hh.copy_(stacked.from_hidden.weight[agent].T)
            one.bias_hh.copy_(stacked.from_hidden.bias[agent, 0])
        torch.testing.assert_close(stacked(x, hidden)[agent], one(x[agent], hidden[agent]))


def test_parameters_start_in_the_range_of_torch():
    layer = StackedLinear(AGENTS, 16, 1000)
    for parameter in (layer.weight, layer.bias):
        assert parameter.abs().max() <= 0.25
        assert parameter.abs().max() > 0.24


@pytest.mark.parametrize("agents", [1, 2, 5])
def test_a_shared_layer_serves_any_number_of_agents(agents: int):
    x, hidden = normal(0, agents, BATCH, INPUTS), normal(1, agents, BATCH, OUTPUTS)
    cell = shaken(StackedGRUCell(1, INPUTS, OUTPUTS), 0)
    linear = shaken(StackedLinear(1, INPUTS, OUTPUTS), 1)
    norm = shaken(StackedNorm(1, INPUTS, 1e-5), 2)
    for agent in range(agents):
        alone = slice(agent, agent + 1)
        torch.testing.assert_close(cell(x, hidden)[alone], cell(x[alone], hidden[alone]))
        torch.testing.assert_close(linear(x)[alone], linear(x[alone]))
        torch.testing.assert_close(norm(x)[alone], norm(x[alone]))
