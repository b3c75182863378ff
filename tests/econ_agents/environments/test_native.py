"""An environment with a batch axis, stepped as it is: the same as copies of it in a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from econ_agents.environments import EnvironmentMisfit, Moment, Teams, make_teams
from tests.support import FlakyModel, RecordingModel

PLACES = 4
SIMULATED: dict[str, Any] = {
    "dataset": "simulated",
    "llm": "simulated",
    "bne_rounds": 3,
    "max_rounds": 2,
}


def play(teams: Teams) -> list[Moment]:
    """Every place plays two episodes and starts anew as soon as its own has ended."""
    rng = np.random.default_rng(0)
    weights = {"reward_weights": {"ts": 0.2, "al": 0.3, "cc": 0.5}}
    moment = teams.reset({place: 100 + place for place in range(PLACES)}, weights)
    moments, left = [moment], [1] * PLACES
    while moment.active.any():
        moment = teams.step(rng.uniform(-1, 1, (PLACES, 3, 2)).astype(np.float32))
        moments.append(moment)
        again = {place: 200 + place for place in range(PLACES) if not moment.active[place]}
        again = {place: seed for place, seed in again.items() if left[place]}
        if again:
            for place in again:
                left[place] -= 1
            moment = teams.reset(again)
            moments.append(moment)
    return moments


def test_a_batch_is_the_same_as_copies_also_when_places_start_at_different_times():
    native = make_teams("econ_env:batched_parallel_env", SIMULATED, PLACES)
    copies = make_teams("econ_env:parallel_env", SIMULATED, PLACES)
    assert native.space == copies.space
    assert native.space.layout is not None
    together, alone = play(native), play(copies)
    mixed = [moment for moment in together if 0 < moment.active.sum() < PLACES]
    assert mixed, "the game must end at different steps, or this test shows nothing"
    assert len(together) == len(alone)
    for a, b in zip(together, alone, strict=True):
        for name in ("observations", "state", "rewards", "terminated", "truncated", "active"):
            first, second = getattr(a, name), getattr(b, name)
            assert first.dtype == second.dtype
            assert first.shape == second.shape
            assert first.tobytes() == second.tobytes(), name
        assert a.infos.keys() == b.infos.keys()
        for key, values in a.infos.items():
            np.testing.assert_array_equal(values, b.infos[key], err_msg=key)
    assert any(moment.rewards.any() for moment in together)


def test_each_ending_is_told_once():
    teams = make_teams("econ_env:batched_parallel_env", SIMULATED, PLACES)
    moments = play(teams)
    ends = np.sum([moment.terminated for moment in moments], axis=0)
    assert ends.tolist() == [2] * PLACES
    idle = [~moment.active & ~moment.terminated for moment in moments]
    assert not any(moment.rewards[rest].any() for moment, rest in zip(moments, idle, strict=True))


@pytest.mark.parametrize("name", ["batched_parallel_env", "parallel_env"])
def test_an_episode_without_result_is_truncated_and_says_so(name: str):
    flaky = FlakyModel(lambda request: True, "simulated:0")
    others = [RecordingModel(f"simulated:{i}") for i in (1, 2)]
    settings = {
        "dataset": "simulated",
        "llm": [flaky, *others],
        "coordinator": RecordingModel("simulated:coordinator"),
        "prompts": "compact",
        "embedder": "hashing",
    }
    teams = make_teams(f"econ_env:{name}", settings, 2)
    teams.reset({0: 0})
    moment = teams.step(np.zeros((2, 3, 2)))
    assert moment.infos["failed"].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert moment.truncated.tolist() == [True, False]
    assert not moment.terminated.any()
    assert not moment.rewards.any()


def test_options_reach_the_environment():
    teams = make_teams("econ_env:batched_parallel_env", {**SIMULATED, "bne_rounds": 1}, 2)
    totals = []
    for weights in ({"ts": 0.0, "al": 1.0, "cc": 0.0}, {"ts": 0.0, "al": 0.0, "cc": 1.0}):
        teams.reset({0: 1, 1: 2}, {"reward_weights": weights})
        moment = teams.step(np.zeros((2, 3, 2)))
        part = moment.infos["al" if weights["al"] else "cc"]
        np.testing.assert_allclose(moment.rewards, part)
        totals.append(moment.rewards.sum())
    assert totals[0] != totals[1]


def test_rows_of_idle_places_are_not_read_and_those_of_others_are_checked():
    teams = make_teams("econ_env:batched_parallel_env", SIMULATED, 2)
    teams.reset({1: 0})
    actions = np.zeros((2, 3, 2))
    actions[0] = np.nan
    assert teams.step(actions).active.tolist() == [False, True]
    actions[1, 2, 0] = 3.0
    with pytest.raises(ValueError, match="executor_2 in place 1"):
        teams.step(actions)


def test_a_step_needs_a_running_episode():
    teams = make_teams("econ_env:batched_parallel_env", SIMULATED, 2)
    with pytest.raises(ResetNeeded):
        teams.step(np.zeros((2, 3, 2)))
    with pytest.raises(ValueError, match="places are 0 to 1"):
        teams.reset({2: 0})


def test_a_factory_that_takes_a_batch_size_must_make_the_whole_interface():
    with pytest.raises(EnvironmentMisfit, match=r"Counter.* has no num_questions, state_space, "):
        make_teams("tests.econ_agents.environments.toy_env:make_half_batched", {}, 2)
