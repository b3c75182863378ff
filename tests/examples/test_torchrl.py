"""Tests that TorchRL accepts the parallel view, and trains on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest

import econ_env
from tests.examples.conftest import Played

# TorchRL says that it is tested with pettingzoo 1.24.3.
pytestmark = [
    pytest.mark.slow,  # it really trains
    pytest.mark.filterwarnings("ignore:PettingZoo in TorchRL is tested:UserWarning"),
]


@pytest.mark.parametrize("rounds", [1, 3])
def test_mappo_trains_in_an_environment_that_passes_its_check(
    rounds: int, run_example: Callable[..., dict[str, float]], played: Played
) -> None:
    arguments = ("--updates", "2", "--batch", "96", "--rounds", str(rounds))
    numbers = run_example("torchrl_mappo.py", *arguments)
    assert {"loss_objective", "loss_critic", "loss_entropy", "reward"} == set(numbers)
    assert 0 < numbers["reward"] < 1
    played.assert_inside_the_box()
    assert rounds in played.lengths
    assert set(played.lengths) <= {1, 2, 3}


def make_team(**settings: Any) -> econ_env.EconParallelEnv:
    return econ_env.parallel_env("simulated", "simulated", **settings)


def test_the_state_comes_along_also_after_the_last_round() -> None:
    from torchrl.envs import PettingZooWrapper

    team = make_team(bne_rounds=3)
    played = PettingZooWrapper(team, return_state=True, seed=0).rollout(4)
    assert played["next", "done"][-1]
    np.testing.assert_array_equal(played["next", "state"][-1].numpy(), team.state())


def test_texts_in_the_infos_of_steps_do_no_harm() -> None:
    from torchrl.envs import PettingZooWrapper, check_env_specs

    check_env_specs(PettingZooWrapper(econ_env.TextInfos(make_team()), seed=0))


@pytest.mark.parametrize("mode", ["SameStep", "Disabled"])
def test_a_vector_of_teams_is_one_batched_environment(mode: str) -> None:
    from torchrl.envs import GymWrapper

    envs = gymnasium.make_vec("econ_env:econ/Simulated-v0", num_envs=4, autoreset_mode=mode)
    env = GymWrapper(envs)
    env.set_seed(0)
    played = env.rollout(3, break_when_any_done=False)
    assert played.batch_size == (4, 3)
    assert played["next", "reward"].min() > 0
    assert played["next", "terminated"].all()
    first = played["observation"][:, :2]
    assert (first[:, 0] != first[:, 1]).any()


def test_a_vector_that_resets_in_the_next_step_is_refused_by_torchrl() -> None:
    from torchrl.envs import GymWrapper

    with pytest.raises(RuntimeError, match="SAME_STEP or DISABLED"):
        GymWrapper(gymnasium.make_vec("econ_env:econ/Simulated-v0", num_envs=2))


def test_discrete_actions_are_one_hot_for_value_based_learners() -> None:
    from torchrl.envs import PettingZooWrapper, check_env_specs

    game = econ_env.DiscreteActions(econ_env.parallel_env("simulated", "simulated"), bins=3)
    env = PettingZooWrapper(game, return_state=True, categorical_actions=False)
    check_env_specs(env)
    assert env.rollout(2)["executor", "action"].shape == (1, 3, 9)
