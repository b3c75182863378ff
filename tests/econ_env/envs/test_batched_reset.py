"""Seeds and reward weights of a batch can be given for each question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from econ_env import BatchedEconEnv, batched_parallel_env
from econ_env.envs.question_schedule import Schedule
from econ_env.questions import OutOfQuestions, load_questions

WEIGHTS = {
    "ts": {"ts": 1.0, "al": 0.0, "cc": 0.0},
    "al": {"ts": 0.0, "al": 1.0, "cc": 0.0},
    "cc": {"ts": 0.0, "al": 0.0, "cc": 1.0},
}


def make(num_questions: int) -> BatchedEconEnv:
    return batched_parallel_env(num_questions, dataset="simulated", llm="simulated")


def played(env: BatchedEconEnv) -> list[tuple[str, int]]:
    return [(transcript.question.id, transcript.episode) for transcript in env.transcripts]


@pytest.mark.parametrize("seeds", [[7, 3], np.array([7, 3])], ids=["list", "array"])
def test_a_list_of_seeds_has_one_for_each_question(seeds: Any) -> None:
    listed, single = make(2), make(1)
    listed.reset(seed=seeds)
    for place, seed in enumerate((7, 3)):
        single.reset(seed=seed)
        assert played(listed)[place] == played(single)[0]


def test_a_record_of_a_batch_seeded_by_an_array_can_be_written() -> None:
    env = make(2)
    seeds: Any = np.array([7, 3])
    env.reset(seed=seeds)
    assert json.loads(json.dumps(env.transcripts[0].to_json()))["env_seed"] == 7


def test_where_one_place_has_no_question_left_the_others_do_not_go_on(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"question": "{i}", "answer": "1"}}\n' for i in range(3)))
    schedule = Schedule(
        load_questions(str(rows)), num_questions=2, order="sequential", loop=False, seed=0
    )
    schedule.next_episodes([0, 1])
    for _ in range(2):
        schedule.next_episodes([1])
    with pytest.raises(OutOfQuestions):
        schedule.next_episodes([0, 1])
    assert schedule.next_episodes([0])[0].question.text == "1"


def test_a_question_whose_seed_is_none_goes_on() -> None:
    seeded, running = make(2), make(2)
    seeded.reset(seed=5)
    running.reset(seed=5)
    seeded.reset(seed=[9, None])
    running.reset()
    assert played(seeded)[1] == played(running)[1]
    assert played(seeded)[0][1] == 0


def test_seeds_of_questions_outside_the_mask_are_not_used() -> None:
    env, other = make(2), make(2)
    env.reset(seed=5)
    other.reset(seed=5)
    env.reset(seed=[1, 2], mask=[True, False])
    env.reset()
    other.reset()
    assert played(env)[1] == played(other)[1]


def test_a_list_of_seeds_of_the_wrong_length_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="lists 3 seeds for 2 places"):
        make(2).reset(seed=[1, 2, 3])


def test_a_list_of_reward_weights_has_one_for_each_question() -> None:
    env = make(3)
    env.reset(seed=0, options={"reward_weights": list(WEIGHTS.values())})
    rewards, infos = _step(env)
    for agent, info in infos.items():
        for place, component in enumerate(WEIGHTS):
            assert rewards[agent][place] == pytest.approx(info[component][place])


@pytest.mark.parametrize("asked", [list(WEIGHTS.values()), "ts", 1.0])
def test_malformed_reward_weights_are_a_value_error(asked: Any) -> None:
    with pytest.raises(ValueError, match="a list of 2 of them"):
        make(2).reset(options={"reward_weights": asked})


def test_a_malformed_option_leaves_running_episodes_alone() -> None:
    env = make(2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="reward_weights"):
        env.reset(seed=9, options={"reward_weights": [WEIGHTS["ts"], {"ts": 1.0}]})
    assert env.active.all()
    other = make(2)
    other.reset(seed=0)
    assert played(env) == played(other)


def _step(env: BatchedEconEnv) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    shape = (env.num_questions, 2)
    _, rewards, _, _, infos = env.step({agent: np.zeros(shape) for agent in env.agents})
    return rewards, infos
