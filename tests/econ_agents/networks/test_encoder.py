"""The encoder knows a team as a set: of any size, in any order."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from econ_agents.networks import BeliefEncoder
from econ_agents.networks.attention import AttentionBlock
from tests.econ_agents.builders import network_settings, normal, shaken

BELIEF, SIZE, BATCH = 8, 6, 4


def encoder(seed: int = 0) -> BeliefEncoder:
    network = network_settings(entity_dim=SIZE, blocks=2, dropout=0.1)
    made = BeliefEncoder(network, belief_dim=BELIEF)
    shaken(made, seed, scale=0.5)
    return made.eval()


@given(st.permutations(range(6)), st.integers(1, 6), st.integers(0, 1000))
@settings(max_examples=40)
def test_permuted_executors_have_permuted_encodings_and_one_team(
    order: list[int], n_agents: int, seed: int
):
    order = [agent for agent in order if agent < n_agents]
    network, beliefs = encoder(seed), normal(seed, n_agents, BATCH, BELIEF)
    torch.testing.assert_close(
        network.each(beliefs[order]), network.each(beliefs)[:, order], rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(network(beliefs[order]), network(beliefs), rtol=1e-4, atol=1e-5)
    assert network(beliefs).shape == (BATCH, SIZE)


def test_every_executor_is_heard():
    network, beliefs = encoder(), normal(0, 3, BATCH, BELIEF).requires_grad_()
    network(beliefs).square().sum().backward()
    assert beliefs.grad is not None
    assert (beliefs.grad.abs().sum(dim=-1) > 1e-6).all()


def test_executors_attend_to_each_other():
    network, beliefs = encoder(), normal(0, 3, BATCH, BELIEF)
    before = network.each(beliefs)
    beliefs[2] += 1
    assert (network.each(beliefs)[:, :2] - before[:, :2]).abs().max() > 1e-3


def test_attention_is_the_one_of_torch():
    block = shaken(encoder().blocks[0], 0, scale=0.5)
    assert isinstance(block, AttentionBlock)
    tokens = normal(0, BATCH, 3, SIZE)
    projected = block.query_key_value(block.before_attention(tokens))
    query, key, value = projected.unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
    attended = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(-2)
    after = tokens + block.out(attended)
    expected = after + block.feed_forward(block.before_feed_forward(after))
    torch.testing.assert_close(block(tokens), expected, rtol=1e-4, atol=1e-5)


def test_decisions_of_a_batch_do_not_touch_each_other():
    network, beliefs = encoder(), normal(0, 3, BATCH, BELIEF)
    before = network(beliefs)
    beliefs[:, 1] += 1
    changed = (network(beliefs) != before).any(dim=-1)
    assert changed.tolist() == [False, True, False, False]
