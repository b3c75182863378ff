"""Rewards: exact where the gold answer decides, bounded, fair to all, blind to actions."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.rewards import R_MAX, RewardWeights, TeamRewards, score_decisions

DEFAULT = RewardWeights()


@dataclass(frozen=True)
class Situation:
    """Random decisions: the arguments of ``score_decisions`` that come from texts and golds."""

    responses: npt.NDArray[np.float64]
    commitments: npt.NDArray[np.float64]
    answered: npt.NDArray[np.bool_]
    committed: npt.NDArray[np.bool_]
    correct: npt.NDArray[np.bool_]
    commitment_correct: npt.NDArray[np.bool_]

    def score(self, weights: RewardWeights = DEFAULT, fidelity_weight: float = 0.7) -> TeamRewards:
        arguments = {field.name: getattr(self, field.name) for field in fields(self)}
        return score_decisions(**arguments, weights=weights, fidelity_weight=fidelity_weight)

    def batch(self, index: slice) -> Situation:
        return Situation(*(getattr(self, field.name)[index] for field in fields(self)))

    def agents(self, order: npt.NDArray[np.intp]) -> Situation:
        return replace(
            self,
            responses=self.responses[:, order],
            answered=self.answered[:, order],
            correct=self.correct[:, order],
        )


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    batch, n_agents, dim = draw(st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 8)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Rounded to eighths now and then, so that equal and opposite texts occur.
    vectors = np.round(rng.normal(size=(batch, n_agents + 1, dim)), draw(st.sampled_from([0, 8])))
    vectors[..., 0] += np.where(np.linalg.norm(vectors, axis=-1) == 0, 1, 0)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    share = draw(st.sampled_from([0.0, 0.5, 1.0]))
    return Situation(
        responses=vectors[:, :-1],
        commitments=vectors[:, -1],
        answered=rng.random((batch, n_agents)) < share,
        committed=rng.random(batch) < share,
        correct=rng.random((batch, n_agents)) < 0.5,
        commitment_correct=rng.random(batch) < 0.5,
    )


@st.composite
def weightings(draw: st.DrawFn) -> RewardWeights:
    al, ts, cc = draw(st.tuples(*[st.floats(0.01, 1)] * 3))
    total = al + ts + cc
    return RewardWeights(al=al / total, ts=ts / total, cc=cc / total)


@given(situations(), weightings(), st.floats(0, 1))
def test_every_component_and_every_reward_is_in_range(
    situation: Situation, weights: RewardWeights, fidelity_weight: float
) -> None:
    rewards = situation.score(weights, fidelity_weight)
    for field in fields(rewards):
        values = getattr(rewards, field.name)
        assert np.all((values >= 0) & (values <= R_MAX + 1e-9)), field.name


@given(situations(), weightings())
def test_a_reward_is_the_weighted_sum_of_its_components(
    situation: Situation, weights: RewardWeights
) -> None:
    r = situation.score(weights)
    np.testing.assert_allclose(r.agents, weights.ts * r.ts + weights.al * r.al + weights.cc * r.cc)
    np.testing.assert_allclose(
        r.team, weights.ts * r.team_ts + weights.al * r.al.mean(1) + weights.cc * r.cc.mean(1)
    )


@given(situations())
def test_ts_is_exactly_the_correctness_of_what_was_answered(situation: Situation) -> None:
    rewards = situation.score()
    assert np.array_equal(rewards.ts, situation.correct & situation.answered)
    assert np.array_equal(rewards.team_ts, situation.commitment_correct & situation.committed)


@given(situations(), st.randoms(use_true_random=False))
def test_executors_are_interchangeable(situation: Situation, random: Any) -> None:
    n_agents = situation.answered.shape[1]
    order = np.array(random.sample(range(n_agents), n_agents))
    rewards, permuted = situation.score(), situation.agents(order).score()
    np.testing.assert_allclose(permuted.agents, rewards.agents[:, order], atol=1e-12)
    np.testing.assert_allclose(permuted.team, rewards.team, atol=1e-12)


@given(situations())
def test_a_decision_is_worth_the_same_in_any_batch(situation: Situation) -> None:
    together = situation.score()
    for index in range(len(situation.committed)):
        alone = situation.batch(slice(index, index + 1)).score()
        assert np.array_equal(alone.agents[0], together.agents[index])
        assert alone.team[0] == together.team[index]


def test_the_equations_hold_on_an_example_worked_by_hand() -> None:
    # Cosines: u_0·C = 1, u_1·C = 0, u_2·C = -1, u_0·u_1 = 0, u_0·u_2 = -1, u_1·u_2 = 0.
    rewards = score_decisions(
        responses=[[[1, 0], [0, 1], [-1, 0]]],
        commitments=[[1, 0]],
        answered=[[True, True, True]],
        committed=[True],
        correct=[[False, True, False]],
        commitment_correct=[True],
        weights=RewardWeights(al=0.3, ts=0.5, cc=0.2),
    )
    np.testing.assert_allclose(rewards.ts, [[0, 1, 0]])
    np.testing.assert_allclose(rewards.al, [[1, 0.5, 0]])
    novelty = np.array([1 - 0.25, 1 - 0.5, 1 - 0.25])
    cc = 0.7 * np.array([1, 0.5, 0]) + 0.3 * novelty
    np.testing.assert_allclose(rewards.cc, [cc])
    np.testing.assert_allclose(
        rewards.agents, [0.3 * rewards.al[0] + 0.5 * rewards.ts[0] + 0.2 * cc]
    )
    np.testing.assert_allclose(rewards.team, [0.5 * 1 + 0.3 * 0.5 + 0.2 * cc.mean()])


def score(
    responses: npt.ArrayLike, answered: npt.ArrayLike | None = None, committed: bool = True
) -> TeamRewards:
    """One decision whose commitment is [1, 0]; everybody is right."""
    vectors = np.asarray([responses], dtype=np.float64)
    everybody = np.ones(vectors.shape[:2], dtype=np.bool_)
    return score_decisions(
        responses=vectors,
        commitments=[[1.0, 0.0]],
        answered=everybody if answered is None else np.asarray([answered]),
        committed=[committed],
        correct=everybody,
        commitment_correct=[committed],
        weights=DEFAULT,
    )


def test_a_copy_of_the_others_has_no_novelty() -> None:
    copies = score([[1, 0], [1, 0]])
    np.testing.assert_allclose(copies.cc, [[0.7, 0.7]])
    assert np.all(score([[1, 0], [0, 1]]).cc[0, 0] > copies.cc[0, 0])


def test_an_executor_without_others_has_no_novelty() -> None:
    np.testing.assert_allclose(score([[1, 0]]).cc, [[0.7]])


def test_a_response_without_an_answer_earns_nothing_and_is_nobodys_neighbour() -> None:
    rewards = score([[1, 0], [0, 1], [-1, 0]], answered=[True, True, False])
    for component in (rewards.ts, rewards.al, rewards.cc, rewards.agents):
        assert component[0, 2] == 0
    pair = score([[1, 0], [0, 1]])
    np.testing.assert_allclose(rewards.cc[0, :2], pair.cc[0])
    np.testing.assert_allclose(rewards.team_al, pair.al.sum() / 3)


def test_without_a_commitment_only_right_answers_pay() -> None:
    rewards = score([[1, 0], [0, 1]], committed=False)
    assert np.array_equal(rewards.al, [[0, 0]])
    assert np.array_equal(rewards.cc, [[0, 0]])
    assert np.array_equal(rewards.agents, [[DEFAULT.ts, DEFAULT.ts]])
    assert np.array_equal(rewards.team, [0])


def test_no_argument_tells_a_reward_about_actions_clocks_or_tokens() -> None:
    assert set(inspect.signature(score_decisions).parameters) == {
        "responses",
        "commitments",
        "answered",
        "committed",
        "correct",
        "commitment_correct",
        "weights",
        "fidelity_weight",
    }


def test_rounding_of_unit_vectors_cannot_leave_the_range() -> None:
    rewards = score([[1.0000002, 0], [-1.0000002, 0]])
    assert rewards.al.max() == R_MAX
    assert rewards.al.min() == 0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("commitments", [[1.0, 0.0, 0.0]], r"not \(1, 2, 2\) and \(1, 3\)"),
        ("responses", [[1.0, 0.0]], r"responses must have the shape \(batch, n_agents, dim\)"),
        ("answered", [True], r"answered must be true or false with the shape \(1, 2\)"),
        ("correct", [[1, 0]], "correct must be true or false.*not int"),
        ("committed", [["no"]], "committed must be true or false"),
        ("fidelity_weight", 1.1, r"fidelity_weight must be in \[0, 1\], not 1.1"),
        ("fidelity_weight", float("nan"), "not nan"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(name: str, value: object, message: str) -> None:
    arguments: dict[str, Any] = {
        "responses": [[[1.0, 0.0], [0.0, 1.0]]],
        "commitments": [[1.0, 0.0]],
        "answered": [[True, True]],
        "committed": [True],
        "correct": [[True, False]],
        "commitment_correct": [True],
        "weights": DEFAULT,
    }
    with pytest.raises(ValueError, match=message):
        score_decisions(**{**arguments, name: value})


def test_the_default_weights_are_the_papers() -> None:
    assert (DEFAULT.al, DEFAULT.ts, DEFAULT.cc) == (0.4, 0.4, 0.2)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_weight_that_is_negative_or_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="'cc' must be finite and >= 0"):
        RewardWeights(al=0.5, ts=0.5, cc=value)


def test_weights_must_sum_to_one() -> None:
    with pytest.raises(ValueError, match=r"sum to 1, but .* sum to 1.2; divide each"):
        RewardWeights(al=0.5, ts=0.5, cc=0.2)


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3))
def test_the_softmax_of_a_learner_is_accepted(logits: list[float]) -> None:
    powers = np.exp(np.asarray(logits, dtype=np.float32))
    al, ts, cc = powers / powers.sum()
    weights = RewardWeights.from_options({"al": al, "ts": ts, "cc": cc})
    assert weights == RewardWeights(al=float(al), ts=float(ts), cc=float(cc))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ts": 1.0}, r"needs exactly al, ts, cc; unknown: none; missing: al, cc"),
        ({"ts": 0.4, "al": 0.4, "cc": 0.2, "TS": 0}, "unknown: TS; missing: none"),
        ({"ts": "0.4", "al": 0.4, "cc": 0.2}, "'ts' must be a number, not '0.4'"),
        ({"ts": None, "al": 0.4, "cc": 0.2}, "'ts' must be a number, not None"),
        ({"ts": 0.4, "al": 0.4, "cc": 0.4}, "must sum to 1"),
    ],
)
def test_options_that_are_no_weights_are_refused(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RewardWeights.from_options(options)
