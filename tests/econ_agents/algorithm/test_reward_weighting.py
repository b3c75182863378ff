"""The weights of the reward: a distribution, which never loses sight of the task."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from econ_agents.algorithm.losses import reward_weighting_loss
from econ_agents.algorithm.reward_weighting import COMPONENTS, RewardWeighting
from econ_agents.seeds import torch_generator
from econ_env.rewards import RewardWeights

PAPER = {"ts": 0.4, "al": 0.4, "cc": 0.2}

logit = st.floats(-1e4, 1e4, width=32)


def weighting_at(logits: list[float], floor: float) -> RewardWeighting:
    weighting = RewardWeighting({"ts": 1.0, "al": 0.0, "cc": 0.0}, floor)
    with torch.no_grad():
        weighting.alpha_logits.copy_(torch.tensor(logits))
    return weighting


@given(st.lists(logit, min_size=3, max_size=3), st.floats(0, 0.99))
def test_whatever_the_logits_weights_sum_to_one_and_the_floor_holds(
    logits: list[float], floor: float
):
    weighting = weighting_at(logits, floor)
    weights = weighting.as_options()
    assert list(weights) == list(COMPONENTS)
    assert weights["ts"] >= floor - 1e-7
    assert min(weights.values()) >= 0
    # econ_env refuses weights that do not sum to 1 within its tolerance.
    assert RewardWeights.from_options(weights).ts == weights["ts"]


def test_weights_start_where_they_were_told_to():
    for floor in (0.0, 0.3):
        weights = RewardWeighting({name: 5 * value for name, value in PAPER.items()}, floor)
        assert weights.as_options() == pytest.approx(PAPER, abs=1e-6)


def test_weights_may_start_at_the_floor_or_at_zero():
    weights = RewardWeighting({"ts": 0.3, "al": 0.7, "cc": 0.0}, 0.3)
    assert weights.as_options() == pytest.approx({"ts": 0.3, "al": 0.7, "cc": 0.0}, abs=1e-5)
    weights().sum().backward()
    assert weights.alpha_logits.grad is not None
    assert torch.isfinite(weights.alpha_logits.grad).all()


def test_the_reward_is_the_weighted_sum_of_its_components():
    weighting = RewardWeighting(PAPER, 0.0)
    components = torch.tensor([[[1.0, 0.5, 0.25]], [[0.0, 1.0, 0.0]]])
    torch.testing.assert_close(weighting.rewards(components), torch.tensor([[0.65], [0.4]]))


@pytest.mark.parametrize(
    "initial",
    [
        {"ts": 0.5, "al": 0.5},
        {**PAPER, "speed": 0.1},
        {"ts": -0.1, "al": 1.0, "cc": 0.1},
        dict.fromkeys(COMPONENTS, 0.0),
    ],
)
def test_weights_that_are_none_are_refused(initial: dict[str, float]):
    with pytest.raises(ValueError, match="initial weights need ts, al, cc"):
        RewardWeighting(initial, 0.0)


@pytest.mark.parametrize("floor", [-0.1, 1.0, 0.5])
def test_a_floor_that_cannot_hold_is_refused(floor: float):
    with pytest.raises(ValueError, match="floor of ts"):
        RewardWeighting(PAPER, floor)


def learned(floor: float) -> float:
    """The weight of correctness after learning from questions where only agreement is regular.

    What is expected of a question is the mean reward so far: all that can be known of it.
    """
    weighting = RewardWeighting(PAPER, floor)
    optimiser = torch.optim.SGD(weighting.parameters(), lr=0.5)
    generator = torch_generator(0, "components")
    expected = torch.zeros(())
    for _ in range(400):
        correct = (torch.rand(3, 16, generator=generator) < 0.5).float()
        components = torch.stack(
            [correct, torch.full_like(correct, 0.9), torch.full_like(correct, 0.7)], dim=-1
        )
        actual = weighting.rewards(components)
        expected = 0.9 * expected + 0.1 * actual.detach().mean()
        optimiser.zero_grad()
        reward_weighting_loss(actual, expected.expand_as(actual)).backward()
        optimiser.step()
    return weighting.as_options()["ts"]


def test_without_a_floor_the_weights_run_away_from_the_task_and_with_one_they_do_not():
    assert learned(floor=0.0) < 0.05
    assert 0.3 <= learned(floor=0.3) < 0.35
