"""Every loss against numbers worked out by hand, and against its law."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from econ_agents.algorithm import losses
from tests.econ_agents.builders import normal

# Two agents (rows), two decisions (columns).
VALUES = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
TOTAL = torch.tensor([2.0, 5.0])


def test_a_target_is_the_reward_and_the_discounted_value_that_follows():
    rewards = torch.tensor([[1.0, 0.0], [0.5, 1.0]])
    discount = torch.tensor([0.9, 0.0])
    target = losses.td_target(rewards, discount, VALUES.clone().requires_grad_())
    torch.testing.assert_close(target, torch.tensor([[1.9, 0.0], [3.2, 1.0]]))
    assert not target.requires_grad


def test_the_local_td_loss_sums_over_agents_and_averages_over_decisions():
    targets = torch.tensor([[2.0, 2.0], [1.0, 1.0]])
    # Decision 0: 1² + 2² = 5; decision 1: 0 + 3² = 9.
    assert float(losses.local_td_loss(VALUES, targets)) == 7.0
    assert float(losses.local_td_loss(VALUES, VALUES)) == 0.0


def test_the_global_td_loss_is_the_mean_squared_error():
    assert float(losses.global_td_loss(TOTAL, torch.tensor([3.0, 2.0]))) == 5.0
    assert float(losses.global_td_loss(TOTAL, TOTAL)) == 0.0


def test_the_encoder_loss_weighs_the_local_errors():
    assert float(losses.encoder_loss(torch.tensor(5.0), torch.tensor(7.0), 0.5)) == 8.5


def test_the_consistency_loss_is_the_distance_of_local_values_from_the_total():
    # Decision 0: 1 + 1; decision 1: 9 + 1.
    assert float(losses.consistency_loss(VALUES, TOTAL)) == 6.0
    assert float(losses.consistency_loss(TOTAL.expand(3, -1), TOTAL)) == 0.0


def test_commitment_similarity_is_zero_where_features_point_at_the_commitment():
    commitments = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    aligned = 3 * commitments.unsqueeze(1).expand(-1, 3, -1)
    assert float(losses.commitment_similarity_loss(aligned, commitments)) == pytest.approx(0)
    # Three agents that point away: (1 - -1)² each.
    assert float(losses.commitment_similarity_loss(-aligned, commitments)) == pytest.approx(12)
    across = torch.tensor([[[0.0, 1.0]], [[5.0, 0.0]]])
    assert float(losses.commitment_similarity_loss(across, commitments)) == pytest.approx(1)


def test_decisions_without_a_commitment_do_not_count():
    features = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]]).requires_grad_()
    commitments = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    loss = losses.commitment_similarity_loss(features, commitments)
    assert float(loss.detach()) == pytest.approx(1)
    loss.backward()
    assert features.grad is not None
    assert features.grad[1].abs().max() == 0
    nothing = losses.commitment_similarity_loss(features.detach(), torch.zeros(2, 2))
    assert float(nothing) == 0


def test_the_policy_loss_rewards_a_higher_total():
    assert float(losses.policy_loss(TOTAL)) == -3.5


def test_the_action_regulariser_is_the_squared_length_of_the_joint_action():
    actions = torch.tensor([[[0.5, 0.0], [1.0, 1.0]], [[0.0, 0.5], [0.0, -1.0]]])
    # Decision 0: 0.25 + 0.25; decision 1: 1 + 1 + 1.
    assert float(losses.action_regulariser(actions)) == 1.75
    assert float(losses.action_regulariser(torch.zeros(2, 2, 2))) == 0.0


def test_the_equilibrium_loss_counts_what_each_executor_could_gain():
    best = torch.tensor([[3.0, 4.0], [2.5, 7.0]])
    # Decision 0: 1 + 0.5; decision 1: 0 (a worse deviation is no gain) + 2.
    assert float(losses.equilibrium_loss(best, TOTAL)) == 1.75
    assert float(losses.equilibrium_loss(torch.stack([TOTAL, TOTAL - 1]), TOTAL)) == 0.0


def test_the_gain_of_deviating_is_shrunk_by_raising_the_profile_not_by_lowering_the_deviation():
    best, total = VALUES.clone().requires_grad_(), TOTAL.clone().requires_grad_()
    losses.equilibrium_loss(best + 2, total).backward()
    assert best.grad is None
    assert total.grad is not None
    # Decision 0: both would gain; decision 1: only agent 1 would. Half each, for the mean.
    assert total.grad.tolist() == [-1.0, -0.5]


def test_a_better_response_draws_the_policy_to_itself_the_more_it_gains():
    total = torch.tensor([0.0, 5.0], requires_grad=True)
    best = torch.tensor([[0.01, 4.0], [0.03, 5.0]], requires_grad=True)
    actions = torch.zeros(2, 2, 2, requires_grad=True)
    better = torch.tensor([[[1.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]], requires_grad=True)
    loss = losses.best_response_loss(actions, better, best, total, 0.01)
    # Decision 0: a half of 1² and three quarters of 1² + 1²; decision 1: nothing is gained.
    assert float(loss.detach()) == pytest.approx(1.0)
    loss.backward()
    assert total.grad is best.grad is better.grad is None
    assert actions.grad is not None
    torch.testing.assert_close(actions.grad[:, 0], torch.tensor([[-0.5, 0.0], [-0.75, -0.75]]))
    assert actions.grad[:, 1].abs().max() == 0


def test_the_improvement_loss_is_what_refinement_gained():
    refined, before = TOTAL.clone().requires_grad_(), torch.tensor([1.0, 5.0], requires_grad=True)
    loss = losses.commitment_improvement_loss(refined, before)
    assert float(loss.detach()) == -0.5
    loss.backward()
    assert before.grad is None
    assert refined.grad is not None
    assert refined.grad.tolist() == [-0.5, -0.5]


def test_the_weighting_loss_moves_what_was_paid_and_not_what_was_expected():
    actual, expected = VALUES.clone().requires_grad_(), TOTAL.expand(2, -1).clone()
    loss = losses.reward_weighting_loss(actual, expected.requires_grad_())
    assert float(loss.detach()) == 6.0
    loss.backward()
    assert expected.grad is None
    assert actual.grad is not None
    assert float(losses.reward_weighting_loss(VALUES, VALUES)) == 0.0


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 5))
def test_every_squared_or_clipped_loss_is_a_non_negative_scalar(seed: int, agents: int, batch: int):
    values, targets = normal(seed, agents, batch), normal(seed + 1, agents, batch)
    total, target = normal(seed, batch), normal(seed + 1, batch)
    found: list[Tensor] = [
        losses.local_td_loss(values, targets),
        losses.global_td_loss(total, target),
        losses.consistency_loss(values, total),
        losses.commitment_similarity_loss(normal(seed, batch, agents, 4), normal(seed, batch, 4)),
        losses.action_regulariser(normal(seed, agents, batch, 2)),
        losses.equilibrium_loss(values, total),
        losses.best_response_loss(
            normal(seed, agents, batch, 2), normal(seed + 1, agents, batch, 2), values, total, 0.5
        ),
        losses.reward_weighting_loss(values, targets),
    ]
    for loss in found:
        assert loss.shape == ()
        assert float(loss) >= 0


@given(st.integers(0, 10_000))
def test_losses_do_not_depend_on_the_order_of_decisions(seed: int):
    values, targets, total = normal(seed, 3, 4), normal(seed + 1, 3, 4), normal(seed, 4)
    order = [2, 0, 3, 1]
    for loss, one, other in (
        (losses.local_td_loss, values, targets),
        (losses.consistency_loss, values, total),
        (losses.equilibrium_loss, values, total),
        (losses.global_td_loss, total, targets[0]),
    ):
        torch.testing.assert_close(loss(one[..., order], other[..., order]), loss(one, other))
