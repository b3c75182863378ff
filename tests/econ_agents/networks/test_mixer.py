"""The mixer: the team's value never falls where an executor's rises, whatever was learned."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econ_agents.networks import Mixer
from tests.econ_agents.builders import network_settings, normal, shaken, uniform

ACTION, STATE, SIZE, BATCH = 2, 5, 8, 4


def mixer(seed: int | None = None, scale: float = 0.5, **changes: Any) -> Mixer:
    sizes: dict[str, Any] = {"action_size": ACTION, "state_size": STATE, "target_size": 0}
    network = network_settings(entity_dim=SIZE, dropout=0.1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Mixer(network, **{**sizes, **changes})
    if seed is not None:
        shaken(made, seed, scale)
    return made.eval()


def inputs(seed: int, n_agents: int, size: float = 1.0) -> tuple[torch.Tensor, ...]:
    return (
        size * normal(seed, n_agents, BATCH),
        uniform(seed, n_agents, BATCH, ACTION),
        normal(seed, BATCH, SIZE),
        normal(seed, BATCH, STATE),
    )


@given(st.integers(0, 10_000), st.floats(0.01, 5), st.floats(0.01, 100), st.integers(1, 6))
@settings(max_examples=60)
def test_the_teams_value_is_monotone_in_every_executors_value(
    seed: int, scale: float, size: float, n_agents: int
):
    values, actions, team, state = inputs(seed, n_agents, size)
    values.requires_grad_()
    mixer(seed, scale)(values, actions, team, state).total.sum().backward()
    assert values.grad is not None
    assert (values.grad >= 0).all()


def test_every_executor_counts():
    values, actions, team, state = inputs(0, 3)
    values.requires_grad_()
    mixer(0)(values, actions, team, state).total.sum().backward()
    assert values.grad is not None
    assert (values.grad > 1e-4).all()


@given(st.permutations(range(5)), st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=40)
def test_the_order_of_executors_does_not_matter(order: list[int], n_agents: int, seed: int):
    order = [agent for agent in order if agent < n_agents]
    network = mixer(seed)
    values, actions, team, state = inputs(seed, n_agents)
    one = network(values, actions, team, state)
    other = network(values[order], actions[order], team, state)
    torch.testing.assert_close(other.total, one.total, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(other.features, one.features[:, order], rtol=1e-4, atol=1e-4)


def test_untrained_the_teams_value_is_close_to_the_mean():
    values, actions, team, state = inputs(0, 3)
    total = mixer()(values.abs(), actions, team, state).total
    assert (total - values.abs().mean(dim=0)).abs().max() < 0.3


def test_the_teams_value_sees_actions_team_and_state_beyond_the_local_values():
    network, given_inputs = mixer(0), inputs(0, 3)
    for read in given_inputs[1:]:
        read.requires_grad_()
    network(*given_inputs).total.sum().backward()
    for read in given_inputs[1:]:
        assert read.grad is not None
        assert (read.grad.abs().sum(dim=-1) > 1e-6).all()


def test_features_are_of_the_own_action_and_of_those_of_the_others():
    network, (values, actions, team, state) = mixer(0), inputs(0, 3)
    before = network(values, actions, team, state).features
    actions[0] += 0.5
    changed = (network(values, actions, team, state).features - before).abs().amax(dim=-1)
    assert before.shape == (BATCH, 3, SIZE)
    assert (changed > 1e-5).all()


def test_features_are_projected_only_where_there_is_something_to_compare_with():
    assert mixer().project is None
    network = mixer(target_size=7)
    features = network(*inputs(0, 3)).features
    assert network.project is not None
    assert network.project(features).shape == (BATCH, 3, 7)
