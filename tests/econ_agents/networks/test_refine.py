"""Refinement moves within its bounds and within the box, and an untrained one moves nothing."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from econ_agents.networks import RefineModule
from tests.econ_agents.builders import network_settings, normal, shaken, uniform

BELIEF, SEEN, TEAM, ACTION, BATCH = 8, 5, 6, 2, 4


def refine(max_delta: float = 0.2) -> RefineModule:
    return RefineModule(
        network_settings(entity_dim=TEAM),
        belief_dim=BELIEF,
        seen_size=SEEN,
        action_size=ACTION,
        max_delta=max_delta,
    )


def inputs(seed: int, n_agents: int) -> tuple[torch.Tensor, ...]:
    return (
        normal(seed, n_agents, BATCH, BELIEF),
        normal(seed, n_agents, BATCH, SEEN),
        normal(seed, BATCH, TEAM),
        uniform(seed, n_agents, BATCH, ACTION),
    )


@given(
    seed=st.integers(0, 10_000),
    n_agents=st.integers(1, 5),
    scale=st.floats(0.01, 10),
    max_delta=st.floats(0.001, 2),
    rate=st.floats(0.01, 1),
)
@settings(max_examples=50)
def test_no_move_is_larger_than_allowed_or_leaves_the_box(
    seed: int, n_agents: int, scale: float, max_delta: float, rate: float
):
    module = refine(max_delta)
    shaken(module, seed, scale)
    *others, actions = inputs(seed, n_agents)
    moved = module(*others, actions, rate)
    assert moved.shape == actions.shape
    assert (moved - actions).abs().max() <= rate * max_delta + 1e-6
    assert moved.abs().max() <= 1


def test_untrained_nobody_moves():
    *others, actions = inputs(0, 3)
    assert torch.equal(refine()(*others, actions, 1.0), actions)


def test_a_smaller_rate_makes_the_same_share_of_the_move():
    module = refine()
    shaken(module, 0)
    *others, actions = inputs(0, 3)
    actions = actions / 2
    whole, half = (module(*others, actions, rate) - actions for rate in (1.0, 0.5))
    assert whole.abs().max() > 0.1
    torch.testing.assert_close(half, whole / 2, rtol=1e-4, atol=1e-6)


def test_everything_that_is_known_decides_the_move():
    module = refine()
    shaken(module, 0, scale=0.3)
    given_inputs = inputs(0, 3)
    for read in given_inputs:
        read.requires_grad_()
    module(*given_inputs, 1.0).sum().backward()
    for read in given_inputs:
        assert read.grad is not None
        assert read.grad.abs().amax() > 1e-5
