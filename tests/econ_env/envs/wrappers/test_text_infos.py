"""Texts in infos, for whoever asks for them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from pettingzoo.test.parallel_test import parallel_api_test
from pettingzoo.utils.wrappers import BaseParallelWrapper

from econ_env import EconParallelEnv, TextInfos
from econ_env.envs.infos import INFO_KEYS
from econ_env.envs.wrappers import TEXT_KEYS
from econ_env.llm import ChatRequest
from tests.support import FlakyModel


def make(**settings: Any) -> EconParallelEnv:
    return EconParallelEnv(**{"dataset": "simulated", "llm": "simulated", **settings})


def actions(env: Any, point: float = 0.0) -> dict[str, Any]:
    return {agent: np.full(2, point) for agent in env.agents}


def test_every_agent_reads_its_own_texts_beside_the_numbers() -> None:
    env = TextInfos(make(bne_rounds=3))
    env.reset(seed=1)
    step = 0
    while env.agents:
        infos = env.step(actions(env, point=0.3 * step))[4]
        step += 1
        played = list(env.transcript.rounds())[-1]
        for index, info in enumerate(infos.values()):
            assert tuple(info) == INFO_KEYS + TEXT_KEYS
            assert info["strategy"] == env.transcript.strategies[0].strategy != ""
            assert info["response"] == played.executors[index].text != ""
            assert info["commitment"] == (played.commitments[-1].value or "")
            assert info["reason"] == played.commitments[-1].reason
    assert step > 1


def test_infos_of_a_reset_are_empty_so_that_libraries_leave_them_alone() -> None:
    env = TextInfos(make())
    _, infos = env.reset(seed=0)
    assert infos == {agent: {} for agent in env.possible_agents}
    infos["executor_0"]["mine"] = 1.0
    assert infos["executor_1"] == {}


def test_an_agent_of_a_group_reads_the_strategy_of_its_group_and_the_teams_commitment() -> None:
    env = TextInfos(make(n_agents=4, group_size=2))
    env.reset(seed=0)
    infos = env.step(actions(env))[4]
    strategies = [record.strategy for record in env.transcript.strategies]
    assert [info["strategy"] for info in infos.values()] == [strategies[i] for i in (1, 1, 2, 2)]
    (played,) = env.transcript.rounds()
    assert played.commitments[-1].agent == "coordinator"
    assert {info["commitment"] for info in infos.values()} == {played.commitments[-1].value}


@pytest.mark.parametrize("group_size", [4, 2])
def test_without_a_strategy_its_text_is_empty_and_the_others_are_there(group_size: int) -> None:
    env = TextInfos(make(strategy=False, n_agents=4, group_size=group_size))
    env.reset(seed=0)
    for info in env.step(actions(env))[4].values():
        assert info["strategy"] == ""
        assert info["response"] != ""
        assert info["commitment"] != ""


@pytest.mark.parametrize(
    ("role", "written"),
    [("strategy", False), ("execute", True), ("local_commit", True), ("commit", True)],
)
def test_what_a_failed_request_left_unsaid_is_empty(role: str, written: bool) -> None:
    def fails(request: ChatRequest) -> bool:
        return request.role == role

    settings = {"prompts": "compact", "embedder": "hashing", "n_agents": 4, "group_size": 2}
    env = TextInfos(make(llm=FlakyModel(fails), **settings))
    env.reset(seed=0)
    for info in env.step(actions(env))[4].values():
        assert info["failed"] == 1
        assert bool(info["strategy"]) == written
        assert bool(info["response"]) == (written and role != "execute")
        assert (info["commitment"], info["reason"]) == ("", "")


def test_the_wrapped_environment_keeps_pettingzoos_contract() -> None:
    parallel_api_test(TextInfos(make(bne_rounds=2)), num_cycles=10)


def test_it_goes_around_other_wrappers_and_can_be_pickled() -> None:
    env = pickle.loads(pickle.dumps(TextInfos(BaseParallelWrapper(make()))))  # noqa: S301
    env.reset(seed=0)
    infos = env.step(actions(env))[4]
    assert infos["executor_0"]["response"]


def test_another_environment_is_refused() -> None:
    class Other(BaseParallelWrapper[str, Any, Any]):
        @property
        def unwrapped(self) -> Any:
            return self

    with pytest.raises(TypeError, match="wraps an EconParallelEnv, got Other"):
        TextInfos(Other(make()))
