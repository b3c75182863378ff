"""TorchRL's environment over a batch: the same games, one call per phase, rows of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import econ_env
from tests.support import FlakyModel, RecordingModel

torch = pytest.importorskip("torch")
pytest.importorskip("torchrl", reason="TorchRL is not installed")

from econ_env.integrations.torchrl import TorchRLEnv  # noqa: E402

pytestmark = pytest.mark.slow  # importing TorchRL takes seconds
ROUNDS: dict[str, Any] = {"bne_rounds": 3, "max_rounds": 2}


def make(num_questions: int = 4, **settings: Any) -> Any:
    env = TorchRLEnv(num_questions, **{"dataset": "simulated", "llm": "simulated", **settings})
    env.set_seed(5)
    return env


@pytest.mark.parametrize(
    ("settings", "action"),
    [
        (ROUNDS, (4, 3, 2)),
        ({"bins": 3}, (4, 3)),
        ({"bins": 3, "categorical_actions": False}, (4, 3, 9)),
    ],
)
def test_it_is_as_its_specs_say(settings: dict[str, Any], action: tuple[int, ...]) -> None:
    from torchrl.envs import check_env_specs

    env = make(**settings)
    check_env_specs(env)
    played = env.rollout(5, break_when_any_done=False)
    assert played.batch_size == (4, 5)
    assert played["agents", "action"].shape == (4, 5, *action[1:])
    assert played["next", "agents", "reward"].shape == (4, 5, 3, 1)
    assert played["state"].shape == (4, 5, *env.game.state_space.shape)


def test_a_row_plays_what_a_team_alone_plays_with_its_seed() -> None:
    env = make(**ROUNDS)
    played = env.rollout(12, break_when_any_done=False)
    assert played["next", "done"].sum() > 4
    for row in range(4):
        alone = econ_env.parallel_env("simulated", "simulated", **ROUNDS)
        seen, _ = alone.reset(seed=5 + row)
        for step in range(12):
            now = played[row, step]
            np.testing.assert_array_equal(now["agents", "observation"], [*seen.values()])
            actions = dict(zip(alone.agents, now["agents", "action"].numpy(), strict=True))
            seen, rewards, terminated, _, infos = alone.step(actions)
            then = now["next"]
            np.testing.assert_allclose(then["agents", "reward"][:, 0], [*rewards.values()], 1e-6)
            assert bool(then["terminated"]) == terminated["executor_0"] == bool(then["done"])
            assert then["agents", "info", "round"][0] == infos["executor_0"]["round"]
            np.testing.assert_array_equal(then["state"], alone.state())
            if not alone.agents:
                seen, _ = alone.reset()


def test_a_reset_of_single_rows_leaves_the_others_in_their_episodes() -> None:
    env = make(max_rounds=3)
    now = env.rand_step(env.reset())["next"]
    rows = torch.tensor([True, False, False, True])[:, None]
    after = env.reset(now.clone().set("_reset", rows))
    progress = env.game.observation_layout["decision"]
    first = after["agents", "observation"][:, 0, progress].squeeze(-1)
    torch.testing.assert_close(first, torch.tensor([0.0, 1 / 3, 1 / 3, 0.0]))
    assert not after["done"].any()


def test_rows_that_have_ended_wait_without_reward_for_the_others() -> None:
    env = make(**ROUNDS)
    now, waited = env.reset(), 0
    while not now["done"].all():
        before = now["done"].squeeze(-1)
        now = env.rand_step(now)["next"]
        assert now["done"][before].all()
        assert (now["agents", "reward"][before] == 0).all()
        waited += int(before.sum())
    assert waited > 0


def test_numbers_stand_for_the_points_that_discrete_actions_play() -> None:
    env = make(1, bins=4)
    chosen = torch.tensor([[0, 7, 15]])
    env.step(env.reset().set(("agents", "action"), chosen))
    team = econ_env.parallel_env("simulated", "simulated")
    choosing = econ_env.DiscreteActions(team, bins=4)
    choosing.reset(seed=5)
    choosing.step(dict(zip(team.agents, chosen[0].tolist(), strict=True)))
    assert env.game.transcript(0) == team.transcript


def test_every_phase_is_one_call_of_the_model() -> None:
    model = RecordingModel()
    asked: dict[str, Any] = {"strategy": True, "commitment_rule": "coordinator"}
    env = make(llm=model, prompts="compact", embedder="hashing", **asked)
    env.rollout(1)
    assert model.calls == [4, 12, 4]  # strategies, responses, commitments


def test_a_failed_request_truncates_its_row_and_says_so() -> None:
    model = FlakyModel(lambda request: request.role == "commit")
    env = make(llm=model, prompts="compact", embedder="hashing")
    after = env.rand_step(env.reset())["next"]
    assert after["truncated"].all()
    assert not after["terminated"].any()
    assert (after["agents", "info", "failed"] == 1).all()


def test_a_misspelt_setting_is_named() -> None:
    with pytest.raises(TypeError, match="did you mean 'bne_rounds'"):
        TorchRLEnv(2, bne_round=3)
