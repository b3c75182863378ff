"""Executors as rows of stable-baselines3: the games of the batch, one call per phase."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import econ_env
from tests.support import FlakyModel, RecordingModel

pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed")

from econ_env.integrations.sb3 import ExecutorsVecEnv

pytestmark = pytest.mark.slow  # importing stable-baselines3 takes seconds


def make(num_questions: int = 2, **settings: Any) -> ExecutorsVecEnv:
    rows = ExecutorsVecEnv(
        num_questions, **{"dataset": "simulated", "llm": "simulated", **settings}
    )
    rows.seed(5)
    return rows


def test_rows_play_what_teams_alone_play_and_begin_the_next_episode_at_once() -> None:
    rows = make(bne_rounds=2, indicate_agents=False)
    sampler = np.random.default_rng(0)
    teams = [econ_env.parallel_env("simulated", "simulated", bne_rounds=2) for _ in range(2)]
    alone = [team.reset(seed=5 + b)[0] for b, team in enumerate(teams)]
    seen: Any = rows.reset()
    ends = 0
    for _ in range(5):
        np.testing.assert_array_equal(seen, [each for own in alone for each in own.values()])
        actions = sampler.uniform(-1, 1, (6, 2)).astype(np.float32)
        seen, rewards, ended, infos = rows.step(actions)
        for b, team in enumerate(teams):
            own = slice(3 * b, 3 * b + 3)
            last, paid, *_ = team.step(dict(zip(team.agents, actions[own], strict=True)))
            np.testing.assert_allclose(rewards[own], [*paid.values()], 1e-6)
            assert ended[own].tolist() == [not team.agents] * 3
            if team.agents:
                alone[b] = last
                continue
            ends += 1
            kept = [info["terminal_observation"] for info in infos[own]]
            np.testing.assert_array_equal(kept, [*last.values()])
            assert not any(info["TimeLimit.truncated"] or info["failed"] for info in infos[own])
            alone[b] = team.reset()[0]
    assert ends > 2


def test_executors_that_share_parameters_are_told_apart() -> None:
    rows = make()
    seen: Any = rows.reset()
    np.testing.assert_array_equal(seen[:, -3:], [*np.eye(3), *np.eye(3)])
    assert all(row in rows.observation_space for row in seen)


def test_every_phase_is_one_call_of_the_model() -> None:
    model = RecordingModel()
    asked: dict[str, Any] = {"strategy": True, "commitment_rule": "coordinator"}
    rows = make(4, llm=model, prompts="compact", embedder="hashing", **asked)
    rows.reset()
    rows.step(np.zeros((12, 2), np.float32))
    assert model.calls == [4, 12, 4, 4]  # the last are the strategies of the next episodes


def test_a_failed_episode_is_marked_in_all_its_rows() -> None:
    model = FlakyModel(lambda request: request.role == "commit")
    rows = make(llm=model, prompts="compact", embedder="hashing", commitment_rule="coordinator")
    rows.reset()
    _, rewards, ended, infos = rows.step(np.zeros((6, 2), np.float32))
    assert ended.all()
    assert not rewards.any()
    assert all(info["failed"] and info["TimeLimit.truncated"] for info in infos)


def test_ppo_trains_on_the_rows_with_a_seed() -> None:
    from stable_baselines3 import PPO

    def trained() -> Any:
        model = PPO("MlpPolicy", make(), n_steps=4, batch_size=12, n_epochs=1, seed=0)
        return model.learn(24).policy.state_dict()

    first, second = trained(), trained()
    assert all((first[name] == second[name]).all() for name in first)
