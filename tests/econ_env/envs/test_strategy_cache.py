"""The same question is not planned for twice, and nobody can tell but by what was spent."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from econ_env import EconParallelEnv, batched_parallel_env
from econ_env.envs.strategy_cache import StrategyCache
from econ_env.llm import ChatRequest, Completion, Usage
from econ_env.llm.types import Message
from tests.support import FlakyModel, RecordingModel

REQUEST = ChatRequest(
    messages=(Message(role="user", content="plan: 3 + 4"),),
    temperature=0.0,
    max_tokens=50,
    seed=1,
    model="m",
    role="strategy",
)
PLAN = Completion(text="add", usage=Usage(prompt_tokens=4, completion_tokens=1, requests=1))


def settings(model: RecordingModel, **changes: Any) -> dict[str, Any]:
    return {
        "dataset": "simulated",
        "llm": model,
        "prompts": "compact",
        "embedder": "hashing",
        **changes,
    }


def roles(model: RecordingModel) -> list[str]:
    return [json.loads(line)["role"] for line in model.log]


def still(env: Any, *shape: int) -> dict[str, Any]:
    return {agent: np.zeros((*shape, 2)) for agent in env.possible_agents}


def test_what_is_kept_is_bounded_in_bytes_and_the_least_recently_used_goes_first() -> None:
    cache = StrategyCache(max_bytes=3_000)
    requests = [
        replace(REQUEST, messages=(Message(role="user", content=f"{name}" * 1_000),))
        for name in "abcd"
    ]
    for request in requests[:2]:
        cache.put(request, PLAN)
        cache.put(request, PLAN)
    cache.get(requests[0])
    cache.put(requests[2], PLAN)
    assert [cache.get(request) for request in requests[:3]] == [PLAN, None, PLAN]
    cache.put(requests[3], replace(PLAN, text="x" * 3_000))
    assert not any(map(cache.get, requests)), "one larger than all is not kept"


def test_a_kept_strategy_answers_the_request_with_any_seed() -> None:
    cache = StrategyCache()
    assert cache.get(REQUEST) is None
    cache.put(REQUEST, PLAN)
    assert cache.get(replace(REQUEST, seed=2)) == PLAN


@pytest.mark.parametrize(
    "change",
    [
        {"messages": (Message(role="user", content="plan: 3 + 5"),)},
        {"messages": (Message(role="system", content="plan: 3 + 4"),)},
        {"model": "n"},
        {"max_tokens": 51},
        {"repetition_penalty": 1.1},
        {"top_p": 0.9},
        {"temperature": 0.5},
        {"role": "commit"},
    ],
    ids=str,
)
def test_a_request_that_differs_otherwise_is_another(change: dict[str, Any]) -> None:
    cache = StrategyCache()
    cache.put(REQUEST, PLAN)
    assert cache.get(replace(REQUEST, **change)) is None


@pytest.mark.parametrize("change", [{"temperature": 0.1}, {"role": "commit"}, {"role": "execute"}])
def test_sampled_strategies_and_other_roles_are_never_kept(change: dict[str, Any]) -> None:
    cache = StrategyCache()
    cache.put(replace(REQUEST, **change), PLAN)
    assert cache.get(replace(REQUEST, **change)) is None


def test_failures_are_never_kept() -> None:
    cache = StrategyCache()
    cache.put(REQUEST, Completion.failure("out of order"))
    assert cache.get(REQUEST) is None


def test_the_least_recently_used_is_dropped_first() -> None:
    cache = StrategyCache(capacity=2)
    first, second, third = (replace(REQUEST, model=name) for name in "abc")
    cache.put(first, PLAN)
    cache.put(second, PLAN)
    cache.get(first)
    cache.put(third, PLAN)
    assert [cache.get(request) is PLAN for request in (first, second, third)] == [True, False, True]
    with pytest.raises(ValueError, match="capacity"):
        StrategyCache(capacity=0)


@pytest.mark.parametrize(("group_size", "calls"), [(None, 1), (2, 3)])
def test_five_resets_on_one_question_ask_for_its_strategies_once(
    group_size: int | None, calls: int
) -> None:
    model = RecordingModel()
    env = EconParallelEnv(**settings(model, n_agents=4, group_size=group_size))
    first = env.reset(seed=0)
    transcript = env.transcript
    for _ in range(4):
        observations, infos = env.reset(seed=0)
        assert infos == first[1]
        for agent, observation in observations.items():
            np.testing.assert_array_equal(observation, first[0][agent])
        assert env.transcript == transcript
    assert len(model.log) == env.usage.requests == calls


def test_an_episode_is_the_same_with_a_kept_strategy_but_spends_less() -> None:
    model = RecordingModel()
    env = EconParallelEnv(**settings(model))
    outcomes, spent = [], []
    for _ in range(2):
        before = env.usage.total_tokens
        env.reset(options={"question": 3}, seed=9)
        rewards, _, _, infos = env.step(still(env))[1:]
        outcomes.append((rewards, infos, env.transcript))
        spent.append(env.usage.total_tokens - before)
    assert outcomes[0] == outcomes[1]
    assert roles(model).count("strategy") == 1
    plan = env.transcript.strategies[0].usage
    assert plan.total_tokens > 0
    assert spent == [env.transcript.usage.total_tokens, spent[0] - plan.total_tokens]


def test_a_batch_keeps_strategies_and_reports_the_same_tokens_for_every_place() -> None:
    model = RecordingModel()
    env = batched_parallel_env(2, **settings(model))
    env.reset(options={"question": [4, 5]})
    env.reset(options={"question": [5, 6]})
    assert roles(model) == ["strategy"] * 3
    env.step(still(env, 2))
    for transcript in env.transcripts:
        assert transcript.strategies[0].usage.requests == 1


def test_a_failed_strategy_is_asked_for_again() -> None:
    broken = [True]
    model = FlakyModel(lambda request: request.role == "strategy" and broken[0])
    env = EconParallelEnv(**settings(model))
    env.reset(options={"question": 0})
    broken[0] = False
    env.reset(options={"question": 0})
    assert env.transcript.failed is None
    assert roles(model) == ["strategy"] * 2


def test_a_pickled_environment_keeps_no_strategies() -> None:
    env = EconParallelEnv(dataset="simulated", llm="simulated")
    env.reset(seed=0)
    copy = pickle.loads(pickle.dumps(env))  # noqa: S301
    copy.reset(seed=0)
    assert copy.usage.requests == 1
