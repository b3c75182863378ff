"""Belief networks: stacked as in a loop, blind to what is unknown, and valuing what is done."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econ_agents.networks import BeliefNetworks
from tests.econ_agents.builders import network_settings, normal, shaken, uniform

AGENTS, BATCH, LENGTH, MOMENT, ACTION, BELIEF = 3, 4, 3, 7, 2, 8


def made(*, n_agents: int = AGENTS, **changes: Any) -> BeliefNetworks:
    return BeliefNetworks(
        network_settings(**{"entity_dim": 6, **changes}),
        n_agents=n_agents,
        moment_size=MOMENT,
        action_size=ACTION,
        belief_dim=BELIEF,
    )


def belief_networks(*, n_agents: int = AGENTS, share_parameters: bool = False) -> BeliefNetworks:
    networks = made(
        n_agents=n_agents,
        share_parameters=share_parameters,
        dropout=0.1,
        observation_dropout=0.1,
        action_frequencies=1,
    )
    shaken(networks, 0, scale=0.5)
    return networks.eval()


def moments(agents: int = AGENTS) -> torch.Tensor:
    return uniform(0, agents, BATCH, LENGTH, MOMENT)


KNOWN = torch.tensor(
    [[True, True, True], [False, True, True], [False, False, True], [False, True, True]]
)


def test_the_stack_is_the_loop_over_the_agents():
    stacked = belief_networks()
    seen, acts = moments(), uniform(1, AGENTS, BATCH, ACTION)
    beliefs = stacked(seen, KNOWN)
    chosen, values = stacked.actions(beliefs), stacked.values(beliefs, acts)
    for agent in range(AGENTS):
        own = slice(agent, agent + 1)
        one = belief_networks(n_agents=1)
        one.load_state_dict({key: value[own] for key, value in stacked.state_dict().items()})
        belief = one(seen[own], KNOWN)
        torch.testing.assert_close(beliefs[own], belief)
        torch.testing.assert_close(chosen[own], one.actions(belief))
        torch.testing.assert_close(values[own], one.values(belief, acts[own]))


def test_gradients_of_the_stack_are_those_of_the_loop():
    stacked = belief_networks()
    seen, acts = moments(), uniform(1, AGENTS, BATCH, ACTION)
    stacked.values(stacked(seen, KNOWN), acts).sum().backward()
    for agent in range(AGENTS):
        own = slice(agent, agent + 1)
        one = belief_networks(n_agents=1)
        one.load_state_dict({key: value[own] for key, value in stacked.state_dict().items()})
        one.values(one(seen[own], KNOWN), acts[own]).sum().backward()
        for name, parameter in one.named_parameters():
            if "action_head" not in name:
                whole = stacked.get_parameter(name).grad
                assert whole is not None
                torch.testing.assert_close(parameter.grad, whole[own], rtol=1e-4, atol=1e-5)


def test_an_agent_believes_from_its_own_moments_alone():
    networks, seen = belief_networks(), moments()
    before = networks(seen, KNOWN)
    seen[1] += 1
    changed = (networks(seen, KNOWN) != before).any(dim=-1).any(dim=-1)
    assert changed.tolist() == [False, True, False]


def test_what_is_not_known_is_not_read():
    networks, seen = belief_networks(), moments()
    before = networks(seen, KNOWN)
    seen[:, ~KNOWN] = 1000.0
    assert torch.equal(networks(seen, KNOWN), before)
    seen[:, 0, 0] += 1
    changed = (networks(seen, KNOWN) != before).any(dim=-1)
    assert changed.tolist() == [[True, False, False, False]] * AGENTS


def test_an_empty_memory_is_as_none():
    networks, seen = belief_networks(), moments()
    nothing_known = torch.tensor([[False, False, True]]).expand(BATCH, -1)
    alone = networks(seen[:, :, -1:], torch.ones(BATCH, 1, dtype=torch.bool))
    torch.testing.assert_close(networks(seen, nothing_known), alone)


def test_the_order_of_moments_matters():
    networks, seen = belief_networks(), moments()
    all_known = torch.ones_like(KNOWN)
    swapped = seen[:, :, [1, 0, 2]]
    assert (networks(seen, all_known) - networks(swapped, all_known)).abs().max() > 1e-3


@given(st.integers(0, 1000), st.floats(0, 30))
@settings(max_examples=25)
def test_actions_stay_in_the_box(seed: int, size: float):
    chosen = belief_networks().actions(size * normal(seed, AGENTS, BATCH, BELIEF))
    assert chosen.shape == (AGENTS, BATCH, ACTION)
    assert chosen.abs().max() <= 1


def test_untrained_networks_act_near_the_middle_of_the_box():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = made()
    assert networks.actions(networks(moments(), KNOWN)).abs().max() < 0.15


@pytest.mark.parametrize("share", [False, True])
def test_values_see_the_action_and_policies_get_its_gradient(share: bool):
    networks = belief_networks(share_parameters=share)
    beliefs = networks(moments(), KNOWN).detach()
    acts = networks.actions(beliefs)
    acts.retain_grad()
    networks.values(beliefs, acts).sum().backward()
    assert acts.grad is not None
    assert (acts.grad.abs() > 1e-6).all(), "dQ_i/de_i is zero somewhere"
    weight = networks.action_head.weight.grad
    assert weight is not None
    assert (weight.abs().amax(dim=(1, 2)) > 0).all()


def test_a_value_depends_on_the_own_action_only():
    networks = belief_networks()
    beliefs, acts = networks(moments(), KNOWN), uniform(1, AGENTS, BATCH, ACTION)
    before = networks.values(beliefs, acts)
    acts[2] += 0.1
    changed = (networks.values(beliefs, acts) != before).any(dim=-1)
    assert changed.tolist() == [False, False, True]


def test_shared_parameters_serve_another_number_of_agents():
    trained = belief_networks(share_parameters=True, n_agents=3)
    used = belief_networks(share_parameters=True, n_agents=5)
    used.load_state_dict(trained.state_dict())
    seen = moments(agents=5)
    three, five = trained(seen[:3], KNOWN), used(seen, KNOWN)
    assert five.shape == (5, BATCH, BELIEF)
    torch.testing.assert_close(five[:3], three)
    acts = uniform(1, 5, BATCH, ACTION)
    torch.testing.assert_close(
        used.values(five, acts)[:3], trained.values(three, acts[:3]), rtol=1e-4, atol=1e-5
    )


def test_agents_that_share_parameters_still_differ():
    networks = belief_networks(share_parameters=True)
    same = moments()[:1].expand(12, -1, -1, -1)
    beliefs = networks(same, KNOWN)
    distances = torch.cdist(beliefs[:, 0], beliefs[:, 0]) + torch.eye(12)
    assert distances.min() > 1e-4
