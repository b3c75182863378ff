"""Checks of third-party suites, and some that they forget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from pettingzoo.test.api_test import api_test
from pettingzoo.test.max_cycles_test import max_cycles_test
from pettingzoo.test.parallel_test import parallel_api_test
from pettingzoo.test.render_test import render_test
from pettingzoo.test.seed_test import parallel_seed_test
from pettingzoo.test.state_test import state_test

from econ_env import econ_v0

SIMULATED: dict[str, Any] = {"dataset": "simulated", "llm": "simulated"}
MANY_ROUNDS: dict[str, Any] = {**SIMULATED, "bne_rounds": 3, "max_rounds": 2}


@pytest.mark.parametrize("settings", [SIMULATED, MANY_ROUNDS], ids=["one round", "many rounds"])
def test_pettingzoo_parallel_api(settings: dict[str, Any]) -> None:
    parallel_api_test(econ_v0.parallel_env(**settings), num_cycles=50)


@pytest.mark.parametrize("settings", [SIMULATED, MANY_ROUNDS], ids=["one round", "many rounds"])
def test_pettingzoo_aec_api(settings: dict[str, Any]) -> None:
    api_test(econ_v0.env(**settings), num_cycles=20)


def test_pettingzoo_parallel_seed() -> None:
    parallel_seed_test(lambda: econ_v0.parallel_env(**MANY_ROUNDS), num_cycles=20)


def test_pettingzoo_state() -> None:
    state_test(econ_v0.env(**MANY_ROUNDS), econ_v0.parallel_env(**MANY_ROUNDS))


def test_pettingzoo_render(capsys: pytest.CaptureFixture[str]) -> None:
    def make(**render_mode: Any) -> Any:
        return econ_v0.env(**SIMULATED, **render_mode)

    render_test(make)


def test_pettingzoo_max_cycles() -> None:
    class Module:
        @staticmethod
        def parallel_env(max_cycles: int) -> Any:
            return econ_v0.parallel_env(**SIMULATED, max_cycles=max_cycles)

        @staticmethod
        def env(max_cycles: int) -> Any:
            return econ_v0.env(**SIMULATED, max_cycles=max_cycles)

    max_cycles_test(Module)


def _roll(env: Any, seed: int, episodes: int) -> list[Any]:
    """Everything that ``episodes`` episodes of random actions return."""
    rng = np.random.default_rng(0)
    seen: list[Any] = []
    for episode in range(episodes):
        seen.append(env.reset(seed=seed if episode == 0 else None))
        while env.agents:
            actions = {agent: rng.uniform(-1, 1, 2) for agent in env.agents}
            seen.append(env.step(actions))
            seen.append(env.state())
    return seen


def test_equal_seeds_give_equal_episodes_to_the_last_step() -> None:
    # parallel_seed_test of pettingzoo 1.27 compares one step only.
    first, second = (_roll(econ_v0.parallel_env(**MANY_ROUNDS), 7, 5) for _ in range(2))
    assert data_equivalence(first, second)
    other = _roll(econ_v0.parallel_env(**MANY_ROUNDS), 8, 5)
    assert not data_equivalence(first[0], other[0])


def test_the_order_of_the_actions_is_of_no_account() -> None:
    # RLlib names the agents in the order of a set.
    def play(reverse: bool) -> Any:
        env = econ_v0.parallel_env(**SIMULATED)
        env.reset(seed=3)
        actions = {agent: np.full(2, 0.3 * i) for i, agent in enumerate(env.agents)}
        return env.step(dict(reversed(actions.items())) if reverse else actions)

    assert data_equivalence(play(reverse=True), play(reverse=False))


def test_what_a_library_writes_into_returned_values_stays_there() -> None:
    # RLlib adds "__all__" to both flags, SuperSuit the last observation to infos.
    env = econ_v0.parallel_env(**MANY_ROUNDS)
    untouched = econ_v0.parallel_env(**MANY_ROUNDS)
    env.reset(seed=1)
    untouched.reset(seed=1)
    while untouched.agents:
        actions = {agent: np.zeros(2) for agent in untouched.agents}
        seen = env.step(actions)
        assert data_equivalence(seen, untouched.step(actions))
        written: Any
        for written in seen:
            written["__all__"] = written.pop("executor_0")


def test_aec_step_in_a_wrong_order_is_an_error() -> None:
    env = econ_v0.env(**SIMULATED)
    with pytest.raises(AssertionError, match="reset"):
        env.step(np.zeros(2))
