"""The best unilateral deviation is the one that a loop over all of them finds."""

from __future__ import annotations

import torch

from econ_agents.algorithm.q_deviations import best_deviations
from tests.econ_agents.builders import ACTION, STATE, normal, shaken, tiny_networks, uniform

AGENTS, BATCH, COUNT = 3, 4, 5


def test_the_best_of_all_deviations_is_found_for_every_executor_and_decision():
    networks = tiny_networks()
    shaken(networks, 0, scale=0.5)
    beliefs = normal(0, AGENTS, BATCH, 8)
    actions = uniform(0, AGENTS, BATCH, ACTION)
    team, state = networks.encoder(beliefs), normal(0, BATCH, STATE)
    candidates = uniform(1, COUNT, AGENTS, BATCH, ACTION)
    best, chosen = best_deviations(networks, beliefs, actions, team, state, candidates)
    assert not best.requires_grad
    for agent in range(AGENTS):
        totals = []
        for candidate in candidates:
            profile = actions.clone()
            profile[agent] = candidate[agent]
            totals.append(networks.mix(beliefs, profile, team, state).total.detach())
        expected, which = torch.stack(totals).max(dim=0)
        torch.testing.assert_close(best[agent], expected)
        for decision in range(BATCH):
            wanted = candidates[which[decision], agent, decision]
            assert torch.equal(chosen[agent, decision], wanted)


def test_staying_is_no_gain():
    networks = tiny_networks()
    beliefs, actions = normal(0, AGENTS, BATCH, 8), uniform(0, AGENTS, BATCH, ACTION)
    team, state = networks.encoder(beliefs), normal(0, BATCH, STATE)
    best, chosen = best_deviations(
        networks, beliefs, actions, team, state, actions.expand(COUNT, -1, -1, -1)
    )
    total = networks.mix(beliefs, actions, team, state).total.detach()
    torch.testing.assert_close(best, total.expand(AGENTS, -1))
    assert torch.equal(chosen, actions)
