"""One update: every loss where it belongs, nothing hidden, always the same; and it learns."""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from econ_agents.algorithm.learner import Learner, NonFiniteLoss, frozen
from econ_agents.algorithm.losses import reward_weighting_loss
from econ_agents.algorithm.replay_buffer import Batch, Window
from econ_agents.algorithm.reward_weighting import RewardWeighting
from econ_agents.config.schema import (
    BneSettings,
    Config,
    LossSettings,
    RewardSettings,
    TrainSettings,
)
from econ_agents.networks import Mixed
from tests.econ_agents.builders import (
    OBSERVATION,
    a_batch,
    a_window,
    shaken,
    tiny_networks,
    tiny_shapes,
    uniform,
)

NAMES = [item.name for item in fields(LossSettings) if item.name != "lambda_e"]
OFF = dict.fromkeys(NAMES, 0.0)
COMMITMENT = slice(0, 2)
LEARNED_ALPHA = RewardSettings(dynamic=True)


def a_learner(
    *, network: dict[str, Any] | None = None, target_size: int = 2, **settings: Any
) -> Learner:
    """A learner whose networks are no longer as they started: refinement moves, too."""
    networks = tiny_networks(network=network, target_size=target_size)
    shaken(networks, 0, scale=0.3)
    return Learner(
        networks,
        RewardWeighting({"ts": 0.4, "al": 0.4, "cc": 0.2}, 0.3),
        Config(**settings),
        commitment=COMMITMENT,
        seen=torch.arange(OBSERVATION),
    )


def batch(seed: int = 0, **changes: Any) -> Batch:
    return a_batch(seed, tiny_shapes(), **changes)


def everything(learner: Learner) -> dict[str, Tensor]:
    """All that an update may change, copied."""
    found = {
        f"{group}.{name}": value
        for group, module in (
            ("networks", learner.networks),
            ("targets", learner.targets),
            ("weighting", learner.weighting),
        )
        for name, value in module.state_dict().items()
    }
    state = learner.optimiser.state_dict()["state"]
    found |= {f"{key}.{name}": value for key in state for name, value in state[key].items()}
    found["updates"] = torch.tensor(learner.updates)
    return {name: value.clone() for name, value in found.items()}


def changed(before: dict[str, Tensor], learner: Learner) -> set[str]:
    """Parts of the networks of which a parameter moved."""
    parts = set()
    for name, parameter in learner.networks.named_parameters():
        if not torch.equal(before[f"networks.{name}"], parameter):
            module, part, *_ = name.split(".")
            whole = module in ("encoder", "refine") or (module == "mixer" and part != "project")
            parts.add(module if whole else part)
    return parts


BODY = {"read", "remember"}
JUDGES = {*BODY, "value_head", "mixer"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("local_td", {*BODY, "value_head"}),
        ("global_td", JUDGES),
        ("consistency", JUDGES),
        ("commitment_similarity", {*BODY, "mixer", "project"}),
        ("encoder", {"encoder"}),
        ("policy", {*BODY, "action_head"}),
        ("action_regulariser", {*BODY, "action_head"}),
        ("equilibrium", {*BODY, "action_head"}),
        ("best_response", {*BODY, "action_head"}),
        ("commitment_improvement", {"refine"}),
        ("refinement_rest", {"refine"}),
    ],
)
def test_every_loss_moves_what_it_is_about_and_nothing_else(name: str, moves: set[str]):
    learner = a_learner(losses=LossSettings(**{**OFF, name: 1.0}))
    before = everything(learner)
    report = learner.update(batch())
    assert report["total"] == report[name] != 0
    assert changed(before, learner) == moves


def test_weights_of_zero_turn_losses_off():
    learner = a_learner(losses=LossSettings(**{**OFF, "commitment_improvement": 1.0}))
    before = everything(learner)
    report = learner.update(batch())
    assert changed(before, learner) == {"refine"}
    assert report["total"] == report["commitment_improvement"]
    assert all(report[name] != 0 for name in NAMES), "it is off, not unknown"


def test_every_loss_is_reported_with_the_weighted_sum():
    weights = LossSettings(**{name: 0.1 * (k + 1) for k, name in enumerate(NAMES)})
    report = a_learner(losses=weights).update(batch())
    assert set(report) == {*NAMES, "total", "gradient_norm"}
    total = sum(getattr(weights, name) * report[name] for name in NAMES)
    assert report["total"] == pytest.approx(total, rel=1e-5)
    learned = a_learner(losses=weights, reward=LEARNED_ALPHA).update(batch())
    assert set(learned) == {*report, "reward_weighting"}


def test_td_losses_are_those_of_the_target_networks_and_the_target_policy():
    learner, decisions = a_learner(train=TrainSettings(gamma=0.9)), batch()
    shaken(learner.targets, 1, scale=0.3)
    networks, targets = learner.networks, learner.targets
    with torch.no_grad():
        beliefs = networks.beliefs(decisions.now.moments, decisions.now.known)
        values = networks.beliefs.values(beliefs, decisions.actions)
        team = networks.encoder(beliefs)
        total = networks.mix(beliefs, decisions.actions, team, decisions.states).total
        then = targets.beliefs(decisions.then.moments, decisions.then.known)
        chosen = targets.beliefs.actions(then)
        next_values = targets.beliefs.values(then, chosen)
        next_total = targets.mix(then, chosen, targets.encoder(then), decisions.next_states).total
        goes_on = 0.9 * (1 - decisions.terminal)
        local = (decisions.rewards + goes_on * next_values - values).square().sum(dim=0).mean()
        whole = (decisions.team_rewards + goes_on * next_total - total).square().mean()
    report = learner.update(decisions)
    assert report["local_td"] == pytest.approx(float(local), rel=1e-5)
    assert report["global_td"] == pytest.approx(float(whole), rel=1e-5)
    assert report["encoder"] == pytest.approx(float(whole + 0.1 * local), rel=1e-5)


def test_a_later_round_is_judged_by_the_action_that_was_executed_in_it():
    learner = a_learner(train=TrainSettings(gamma=0.9))
    decisions = batch(terminal=torch.zeros(6), same_decision=torch.ones(6))
    targets = learner.targets
    with torch.no_grad():
        beliefs = learner.networks.beliefs(decisions.now.moments, decisions.now.known)
        values = learner.networks.beliefs.values(beliefs, decisions.actions)
        then = targets.beliefs(decisions.then.moments, decisions.then.known)
        next_values = targets.beliefs.values(then, decisions.next_actions)
        local = (decisions.rewards + 0.9 * next_values - values).square().sum(dim=0).mean()
    report = learner.update(decisions)
    assert report["local_td"] == pytest.approx(float(local), rel=1e-5)
    new = a_learner(train=TrainSettings(gamma=0.9)).update(
        replace(decisions, same_decision=torch.zeros(6))
    )
    assert new["local_td"] != pytest.approx(report["local_td"], rel=1e-3)


def test_the_encoder_follows_its_own_loss_however_large_the_others_are():
    def encoder_gradients(**weights: float) -> list[Tensor]:
        learner = a_learner(losses=LossSettings(**{**OFF, "encoder": 1.0, **weights}))
        # A step of plain gradient descent shows the gradients.
        descent = torch.optim.SGD(learner.networks.parameters(), lr=1.0)
        learner.optimiser = descent  # type: ignore[assignment]
        before = [p.detach().clone() for p in learner.networks.encoder.parameters()]
        learner.config = replace(learner.config, train=TrainSettings(gradient_clip=1e9))
        learner.update(batch())
        after = learner.networks.encoder.parameters()
        return [old - new.detach() for old, new in zip(before, after, strict=True)]

    alone, among = encoder_gradients(), encoder_gradients(global_td=5.0, consistency=3.0)
    for one, other in zip(alone, among, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("terminal", "looks_ahead"), [(1.0, False), (0.0, True)])
def test_nothing_is_expected_beyond_the_end(terminal: float, looks_ahead: bool):
    shapes = tiny_shapes()
    ends = torch.full((6,), terminal)
    one, other = (
        a_learner().update(batch(then=a_window(seed, shapes, 6), terminal=ends)) for seed in (1, 2)
    )
    for name in ("local_td", "global_td"):
        assert (one[name] != other[name]) == looks_ahead


def test_without_a_named_commitment_there_is_no_similarity_loss():
    learner = a_learner(target_size=0)
    assert learner.update(batch())["commitment_similarity"] == 0


def test_the_commitment_compared_with_is_that_after_the_step():
    decisions = batch()
    moments = decisions.then.moments.clone()
    moments[:, :, -1, COMMITMENT] *= -1
    moved = replace(decisions, then=Window(moments=moments, known=decisions.then.known))
    one, other = (a_learner().update(each)["commitment_similarity"] for each in (decisions, moved))
    assert one != other


def test_targets_follow_slowly_and_seldom():
    long = TrainSettings(episodes=10_000)
    learner = a_learner(target_update_tau=0.25, target_update_interval=3, train=long)
    start = copy.deepcopy(learner.networks.state_dict())
    for number in (1, 2):
        learner.update(batch(number))
        for name, value in learner.targets.state_dict().items():
            assert torch.equal(value, start[name])
    learner.update(batch(3))
    now = learner.networks.state_dict()
    for name, value in learner.targets.state_dict().items():
        torch.testing.assert_close(value, 0.25 * now[name] + 0.75 * start[name])
    after = copy.deepcopy(learner.targets.state_dict())
    learner.update(batch(4))
    assert all(
        torch.equal(value, after[key]) for key, value in learner.targets.state_dict().items()
    )


def _first_steps(learner: Learner) -> tuple[float, float]:
    """Largest moves of the first update: of the belief networks and of the rest."""
    before = everything(learner)
    learner.update(batch())
    moved: dict[bool, float] = {True: 0.0, False: 0.0}
    for name, parameter in learner.networks.named_parameters():
        distance = float((parameter.detach() - before[f"networks.{name}"]).abs().max())
        moved[name.startswith("beliefs.")] = max(distance, moved[name.startswith("beliefs.")])
    return moved[True], moved[False]


def test_executors_and_what_coordinates_them_have_their_own_learning_rates_and_one_pace():
    rates = TrainSettings(learning_rate=1e-2, mixer_learning_rate=1e-3)
    learner = a_learner(train=rates)
    # Adam's first step is the learning rate wherever there is a gradient.
    assert _first_steps(learner) == pytest.approx((1e-2, 1e-3), rel=1e-2)
    slower = a_learner(train=rates)
    slower.set_pace(0.5)
    assert _first_steps(slower) == pytest.approx((5e-3, 5e-4), rel=1e-2)


def test_large_gradients_are_clipped_and_reported_as_they_were():
    learner = a_learner(train=TrainSettings(gradient_clip=1e-12))
    reported = a_learner().update(batch())["gradient_norm"]
    before = everything(learner)
    assert learner.update(batch())["gradient_norm"] == pytest.approx(reported)
    for name, parameter in learner.networks.named_parameters():
        # So small that Adam's epsilon outweighs them.
        assert (parameter - before[f"networks.{name}"]).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("reward", "changes", "name"),
    [
        (RewardSettings(), {"rewards": torch.full((3, 6), float("nan"))}, "local_td"),
        (RewardSettings(), {"team_rewards": torch.full((6,), float("inf"))}, "global_td"),
        (LEARNED_ALPHA, {"components": torch.full((3, 6, 3), float("nan"))}, "local_td"),
        (LEARNED_ALPHA, {"team_components": torch.full((6, 3), float("nan"))}, "global_td"),
        # The loss still fits into a float32, the square of its gradient does not.
        (RewardSettings(), {"rewards": torch.full((3, 6), 4e18)}, "gradient_norm"),
    ],
)
def test_a_loss_that_is_not_finite_is_named_and_nothing_is_changed(
    reward: RewardSettings, changes: dict[str, Tensor], name: str
):
    learner = a_learner(reward=reward, target_update_interval=1)
    learner.update(batch())
    before = everything(learner)
    wrong = batch(1, **changes)
    with pytest.raises(NonFiniteLoss, match=f"the loss '{name}' is (nan|inf)") as caught:
        learner.update(wrong)
    assert caught.value.name == name
    assert caught.value.batch is wrong
    assert set(NAMES) <= set(caught.value.values)
    after = everything(learner)
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_generator_alone():
    state = torch.get_rng_state()

    def after_three(seed: int, disturb: bool = False) -> dict[str, Tensor]:
        learner = a_learner(network={"dropout": 0.3})
        learner.config = replace(learner.config, seed=seed)
        for number in range(3):
            if disturb:
                torch.rand(1)
            learner.update(batch(number))
        return everything(learner)

    one, other = after_three(0), after_three(1)
    assert torch.equal(torch.get_rng_state(), state)
    same = after_three(0, disturb=True)
    assert all(torch.equal(value, same[key]) for key, value in one.items())
    assert not all(torch.equal(value, other[key]) for key, value in one.items())


def test_every_update_drops_other_units_and_tries_other_deviations():
    only_refinement = LossSettings(**{**OFF, "commitment_improvement": 1.0})
    learner = a_learner(losses=only_refinement, network={"dropout": 0.3})
    one, other = learner.update(batch()), learner.update(batch())
    assert one["local_td"] != other["local_td"]
    assert one["equilibrium"] != other["equilibrium"]
    # The policy is judged without dropout.
    assert one["policy"] == other["policy"]


def test_nothing_is_dropped_where_the_policy_acts():
    learner = a_learner(network={"dropout": 0.9})
    for _ in range(2):
        assert not any(module.training for module in learner.networks.modules())
        assert not any(module.training for module in learner.targets.modules())
        learner.update(batch())


def test_alpha_takes_one_step_down_its_loss_where_it_is_learned():
    decisions = batch()
    assert decisions.components is not None
    fixed = a_learner()
    fixed.update(decisions)
    learner = a_learner(reward=RewardSettings(dynamic=True, eta_alpha=0.5))
    start = learner.weighting.alpha_logits.detach().clone()
    assert torch.equal(fixed.weighting.alpha_logits, start)
    by_hand = copy.deepcopy(learner.weighting)
    with torch.no_grad():
        beliefs = learner.networks.beliefs(decisions.now.moments, decisions.now.known)
        values = learner.networks.beliefs.values(beliefs, decisions.actions)
        targets = learner.targets
        then = targets.beliefs(decisions.then.moments, decisions.then.known)
        rest = targets.beliefs.values(then, targets.beliefs.actions(then))
        # What Q_i expects this step to pay: its value without what comes after.
        expected = values - 0.99 * (1 - decisions.terminal) * rest
    loss = reward_weighting_loss(by_hand.rewards(decisions.components), expected)
    loss.backward()
    assert by_hand.alpha_logits.grad is not None
    report = learner.update(decisions)
    assert report["reward_weighting"] == pytest.approx(float(loss.detach()), rel=1e-5)
    torch.testing.assert_close(
        learner.weighting.alpha_logits.detach(), start - 0.5 * by_hand.alpha_logits.grad
    )
    unknown = a_learner(reward=LEARNED_ALPHA)
    unknown.update(batch(components=None))
    assert torch.equal(unknown.weighting.alpha_logits, start)


def test_buffered_rewards_are_those_of_the_live_alpha():
    decisions = batch(terminal=torch.ones(6))
    assert decisions.components is not None
    assert decisions.team_components is not None
    learner = a_learner(reward=LEARNED_ALPHA)
    with torch.no_grad():
        learner.weighting.alpha_logits.add_(torch.tensor([1.0, -1.0, 0.5]))
        alpha = learner.weighting().clone()
        beliefs = learner.networks.beliefs(decisions.now.moments, decisions.now.known)
        values = learner.networks.beliefs.values(beliefs, decisions.actions)
        team = learner.networks.encoder(beliefs)
        total = learner.networks.mix(beliefs, decisions.actions, team, decisions.states).total
        local = (decisions.components @ alpha - values).square().sum(dim=0).mean()
        whole = (decisions.team_components @ alpha - total).square().mean()
    report = learner.update(decisions)
    assert report["local_td"] == pytest.approx(float(local), rel=1e-5)
    assert report["global_td"] == pytest.approx(float(whole), rel=1e-5)


@pytest.mark.exhaustive
def test_alpha_moves_in_a_run_of_a_hundred_episodes_at_its_default_rate():
    learner = a_learner(reward=LEARNED_ALPHA)
    start = learner.weighting().detach().clone()
    for number in range(90):
        # Correctness is a coin's fall, which no value predicts; agreement is nearly constant.
        components = torch.stack(
            [
                (uniform(number, 3, 16) > 0).float(),
                0.8 + 0.05 * uniform(number + 1, 3, 16),
                0.6 + 0.05 * uniform(number + 2, 3, 16),
            ],
            dim=-1,
        )
        learner.update(
            a_batch(number, tiny_shapes(), 16, components=components, terminal=torch.ones(16))
        )
    moved = learner.weighting().detach() - start
    assert float(moved.abs().max()) > 0.02
    assert float(moved[0]) < 0


@pytest.mark.exhaustive
@pytest.mark.parametrize(("slope", "rests"), [(0.0, True), (0.3, False)])
def test_refinement_has_a_fixed_point_where_nothing_is_gained(slope: float, rests: bool):
    moves = [0.0, 0.0]
    for k, weight in enumerate((0.0, 0.1)):
        learner = a_learner(
            losses=LossSettings(
                **{**OFF, "commitment_improvement": 0.1, "refinement_rest": weight}
            ),
            train=TrainSettings(mixer_learning_rate=1e-2),
        )
        # A team value that rises by the slope with every action, and with nothing else.
        learner.networks.mix = lambda beliefs, actions, team, state: Mixed(  # type: ignore[method-assign]
            total=slope * actions.sum(dim=(0, 2)), features=actions
        )
        inner = batch(actions=0.5 * uniform(5, 3, 6, 2))
        for _ in range(150):
            learner.update(inner)
        moves[k] = _refinement_move(learner, inner)
    without, with_rest = moves
    assert without > 0.05
    assert (with_rest < learner.config.bne.convergence_threshold) == rests


def _refinement_move(learner: Learner, decisions: Batch) -> float:
    """Largest move that refinement makes from the actions of a batch."""
    networks, then = learner.networks, decisions.then
    with torch.no_grad():
        beliefs = networks.beliefs(then.moments, then.known)
        seen = then.moments[:, :, -1, :OBSERVATION]
        team = networks.encoder(beliefs)
        refined = networks.refine(beliefs, seen, team, decisions.actions, 1.0)
    return float((refined - decisions.actions).abs().max())


def test_frozen_parameters_thaw_as_they_were():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[0].requires_grad_(False)
    inside: list[bool] = []

    def fail_inside() -> None:
        with frozen(module):
            inside.extend(p.requires_grad for p in module.parameters())
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert inside == [False] * 4
    assert [p.requires_grad for p in module.parameters()] == [False, False, True, True]


TARGETS = torch.tensor([[0.6, -0.4], [-0.5, 0.3]])
"""By context and agent: where each coordinate of its action is paid best."""


def a_bandit(seed: int, size: int = 64) -> Batch:
    """Decisions of one step: all see one of two contexts, and act at random."""
    contexts = (torch.arange(size) % 2)[torch.randperm(size, generator=_generator(seed))]
    moments = torch.zeros(2, size, 1, OBSERVATION + 3)
    moments[..., 0] = 2.0 * contexts[None, :, None] - 1
    window = Window(moments=moments, known=torch.ones(size, 1, dtype=torch.bool))
    actions = uniform(seed, 2, size, 2)
    rewards = _pays(actions, contexts)
    return Batch(
        now=window,
        actions=actions,
        rewards=rewards,
        team_rewards=rewards.mean(dim=0),
        components=None,
        team_components=None,
        states=moments[0, :, 0, :2],
        then=window,
        next_states=moments[0, :, 0, :2],
        next_actions=torch.zeros_like(actions),
        same_decision=torch.zeros(size),
        terminal=torch.ones(size),
    )


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pays(actions: Tensor, contexts: Tensor) -> Tensor:
    best = TARGETS[contexts].T.unsqueeze(-1)
    return 1 - (actions - best).square().sum(dim=-1)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_it_learns_the_best_actions_and_how_to_refine_bad_ones():
    networks = tiny_networks(n_agents=2, state_size=2, bne=BneSettings(max_delta=0.3))
    learner = Learner(
        networks,
        RewardWeighting({"ts": 1.0, "al": 0.0, "cc": 0.0}, 0.0),
        Config(train=TrainSettings(learning_rate=1e-2, mixer_learning_rate=1e-2)),
        commitment=None,
        seen=torch.arange(OBSERVATION),
    )
    for number in range(150):
        learner.update(a_bandit(number))
    unseen = a_bandit(1000)
    contexts = (unseen.now.moments[0, :, 0, 0] > 0).long()
    with torch.no_grad():
        beliefs = networks.beliefs(unseen.now.moments, unseen.now.known)
        team = networks.encoder(beliefs)
        learned = _pays(networks.beliefs.actions(beliefs), contexts)
        seen = unseen.then.moments[:, :, -1, :OBSERVATION]
        refined = networks.refine(beliefs, seen, team, unseen.actions, 1.0)
        gain = _pays(refined, contexts) - _pays(unseen.actions, contexts)
        before, after = (
            networks.mix(beliefs, actions, team, unseen.states).total.mean()
            for actions in (unseen.actions, refined)
        )
    middle = _pays(torch.zeros_like(unseen.actions), contexts)
    assert float(middle.mean()) < 0.6
    assert float(learned.mean()) > 0.85
    assert float(after - before) > 0.2
    assert float(gain.mean()) > 0.2
