"""The vector environment plays what single ones would, and follows Gymnasium's conventions."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import SyncVectorEnv

from econ_env import JointEnv
from econ_env.envs.joint_vector import JointVectorEnv
from econ_env.envs.joint_views import VIEW_NAMES, ViewName
from econ_env.envs.vector import AutoresetMode
from econ_env.llm import ChatRequest
from econ_env.questions import load_questions
from tests.support import FlakyModel, RecordingModel

ROUNDS: dict[str, Any] = {"bne_rounds": 3, "max_rounds": 2}

needs_autoreset_modes = pytest.mark.skipif(
    not hasattr(gymnasium.vector, "AutoresetMode"),
    reason="vector environments of this gymnasium (before 1.1) have one mode of autoreset",
)


def make(num_envs: int, **settings: Any) -> JointVectorEnv:
    return JointVectorEnv(num_envs, **{"dataset": "simulated", "llm": "simulated", **settings})


def singles(num_envs: int, vector: dict[str, Any] | None = None, **settings: Any) -> SyncVectorEnv:
    """As many single environments, in Gymnasium's own vector environment."""

    def single() -> JointEnv:
        return JointEnv(**{"dataset": "simulated", "llm": "simulated", **settings})

    return SyncVectorEnv([single] * num_envs, **(vector or {}))


def compare(together: JointVectorEnv, apart: SyncVectorEnv, steps: int) -> list[Any]:
    """Play both with equal actions, assert that they return the same, and return it."""
    assert together.observation_space == apart.observation_space
    assert together.action_space == apart.action_space
    together.action_space.seed(3)
    seen: list[Any] = [together.reset(seed=5)]
    assert data_equivalence(seen[0], apart.reset(seed=5), exact=True)
    for _ in range(steps):
        actions = together.action_space.sample()
        seen.append(together.step(actions))
        assert data_equivalence(seen[-1], apart.step(actions), exact=True)
    return seen


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_every_environment_is_the_single_one_with_its_seed(view: ViewName) -> None:
    seen = compare(make(3, view=view, **ROUNDS), singles(3, view=view, **ROUNDS), steps=14)
    assert sum(step[2].sum() for step in seen[1:]) > 3, "episodes ended, and others began"


@needs_autoreset_modes
@pytest.mark.parametrize("view", VIEW_NAMES)
def test_same_step_resets_at_once_and_keeps_what_was_last(view: ViewName) -> None:
    together = make(3, view=view, autoreset_mode="SameStep", **ROUNDS)
    apart = singles(3, {"autoreset_mode": AutoresetMode.SAME_STEP}, view=view, **ROUNDS)
    seen = compare(together, apart, steps=14)
    finals = [step for step in seen[1:] if "final_obs" in step[4]]
    assert any(0 < step[2].sum() < 3 for step in finals), "some ended while others went on"
    for _, rewards, terminations, _, infos in finals:
        np.testing.assert_array_equal(infos["_final_obs"], terminations)
        last = infos["final_info"]["team_reward"]
        np.testing.assert_array_equal(last[terminations], rewards[terminations])
        assert not infos["team_reward"][terminations].any(), "these are of the next episode"


@needs_autoreset_modes
def test_disabled_waits_for_a_reset_with_a_mask() -> None:
    together = make(3, autoreset_mode="Disabled", **ROUNDS)
    apart = singles(3, {"autoreset_mode": AutoresetMode.DISABLED}, **ROUNDS)
    together.reset(seed=5)
    apart.reset(seed=5)
    ended = np.zeros(3, dtype=np.bool_)
    while not ended.any() or ended.all():
        if ended.any():
            together.reset(options={"reset_mask": ended})
            apart.reset(options={"reset_mask": ended})
        actions = together.action_space.sample()
        step = together.step(actions)
        assert data_equivalence(step, apart.step(actions), exact=True)
        ended = step[2] | step[3]
    with pytest.raises(ResetNeeded, match=rf"\[{np.flatnonzero(ended)[0]}"):
        together.step(actions)
    # Gymnasium takes the mask out of the options that it is given.
    assert data_equivalence(
        together.reset(options={"reset_mask": ended}), apart.reset(options={"reset_mask": ended})
    )
    assert data_equivalence(together.step(actions), apart.step(actions), exact=True)


def test_the_next_step_resets_what_ended_whatever_its_action() -> None:
    env = make(2)
    env.reset(seed=0)
    _, rewards, terminations, _, _ = env.step(np.zeros((2, 6)))
    assert terminations.all()
    assert (rewards > 0).all()
    before = [transcript.question for transcript in env.get_attr("transcript")]
    _, rewards, terminations, truncations, infos = env.step(np.full((2, 6), np.nan))
    for values in (rewards, terminations, truncations):
        assert not values.any()
    assert not infos["team_reward"].any()
    assert infos["_team_reward"].all()
    assert [transcript.question for transcript in env.get_attr("transcript")] != before


def test_requests_of_a_phase_reach_their_model_together() -> None:
    model = RecordingModel()
    env = make(8, llm=model, prompts="compact", embedder="hashing")
    env.reset(seed=0)
    assert model.calls == [8], "strategies"
    env.step(env.action_space.sample())
    assert model.calls == [8, 24, 8], "responses of three executors each, and commitments"


def test_a_failed_episode_is_truncated_and_pays_nothing() -> None:
    doomed = load_questions("simulated")[1]

    def fails(request: ChatRequest) -> bool:
        return request.role == "execute" and doomed.text in request.messages[0].content

    env = make(3, llm=FlakyModel(fails), prompts="compact", embedder="hashing")
    env.reset(options={"question": [0, 1, 2]})
    _, rewards, terminations, truncations, infos = env.step(np.zeros((3, 6)))
    assert terminations.tolist() == [True, False, True]
    assert truncations.tolist() == [False, True, False]
    assert infos["failed"].tolist() == [0, 1, 0]
    assert rewards[1] == 0
    assert (rewards[[0, 2]] > 0).all()
    _, _, terminations, truncations, infos = env.step(np.zeros((3, 6)))
    for flags in (terminations, truncations, infos["failed"]):
        assert not flags.any()


def test_same_step_says_in_the_final_infos_that_an_episode_failed() -> None:
    model = FlakyModel(lambda request: request.role == "commit")
    settings = {"llm": model, "prompts": "compact", "embedder": "hashing"}
    env = make(2, autoreset_mode="SameStep", **settings)
    env.reset(seed=0)
    _, _, _, truncations, infos = env.step(np.zeros((2, 6)))
    assert truncations.all()
    assert infos["final_info"]["failed"].tolist() == [1, 1]
    assert infos["failed"].tolist() == [0, 0]


def test_no_step_before_the_first_reset() -> None:
    with pytest.raises(ResetNeeded, match=r"\[0, 1\]"):
        make(2).step(np.zeros((2, 6)))


def test_an_exception_leaves_environments_that_ask_to_be_reset() -> None:
    class Broken(RecordingModel):
        def generate(self, requests: Any) -> Any:
            if self.calls and requests[0].role == "execute":
                raise RuntimeError("the test said so")
            return super().generate(requests)

    env = make(2, llm=Broken(), prompts="compact", embedder="hashing")
    env.reset(seed=0)
    with pytest.raises(RuntimeError, match="the test said so"):
        env.step(np.zeros((2, 6)))
    with pytest.raises(ResetNeeded):
        env.step(np.zeros((2, 6)))
    env.reset()


def test_a_refused_action_changes_nothing() -> None:
    env, other = make(2, bne_rounds=2), make(2, bne_rounds=2)
    for each in (env, other):
        each.reset(seed=2)
    with pytest.raises(ValueError, match="executor_0 for question 1 must be finite"):
        env.step(np.array([[0.0] * 6, [np.nan] * 6]))
    with pytest.raises(ValueError, match=r"shape \(2, 6\)"):
        env.step(np.zeros((6, 2)))
    assert data_equivalence(env.step(np.zeros((2, 6))), other.step(np.zeros((2, 6))))


def test_an_unknown_mode_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="'NextStep', 'SameStep', 'Disabled', got 'next'"):
        make(1, autoreset_mode="next")
