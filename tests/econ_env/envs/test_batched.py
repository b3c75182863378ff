"""Many questions in lock-step: the same games as one by one, in few large calls."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence

from econ_env import BatchedEconEnv, EconParallelEnv, batched_parallel_env
from econ_env.commands.summary import summarise
from econ_env.config import EnvConfig
from econ_env.envs.infos import CLOSED_BY_CODES, INFO_KEYS
from econ_env.game.failures import NothingSucceeds
from econ_env.grading.answers import Verdict
from econ_env.llm import BudgetExceeded, ChatRequest, close_shared_models
from econ_env.questions import load_questions
from tests.support import FlakyModel, RecordingModel

ROUNDS: dict[str, Any] = {"bne_rounds": 3, "max_rounds": 2}


def make(num_questions: int, **settings: Any) -> BatchedEconEnv:
    defaults = {"dataset": "simulated", "llm": "simulated"}
    return batched_parallel_env(num_questions, **{**defaults, **settings})


def recording_team() -> tuple[list[RecordingModel], dict[str, Any]]:
    """Models of their own for three executors and a coordinator, and the settings to use them."""
    models = [RecordingModel(f"simulated:{i}") for i in range(3)]
    coordinator = RecordingModel("simulated:coordinator")
    settings = {
        "dataset": "simulated",
        "llm": models,
        "coordinator": coordinator,
        "prompts": "compact",
        "embedder": "hashing",
    }
    return [*models, coordinator], settings


def actions_of(seed: int, step: int, agents: list[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The actions for the question with this seed, in this step: the same in any batch."""
    rng = np.random.default_rng([seed, step])
    return {agent: rng.uniform(-1, 1, 2) for agent in agents}


def play_alone(seed: int, settings: dict[str, Any]) -> list[Any]:
    """Two episodes of the single environment with this seed: everything it returns."""
    env = EconParallelEnv(**settings)
    seen: list[Any] = []
    for episode in range(2):
        observations, infos = env.reset(seed=seed if episode == 0 else None)
        seen.append((observations, infos, env.state()))
        step = 0
        while env.agents:
            actions = actions_of(seed, 10 * episode + step, env.possible_agents)
            seen.append((*env.step(actions), env.state()))
            step += 1
    return seen


def play_batch(seed: int, size: int, settings: dict[str, Any]) -> list[list[Any]]:
    """The same for questions 0 to size-1 of a batch, each as if it had been alone."""
    env = batched_parallel_env(size, **settings)
    seen: list[list[Any]] = [[] for _ in range(size)]

    def note(returned: tuple[Any, ...], rows: list[int]) -> None:
        states = env.state()
        for row in rows:
            record = [_row_of(item, row) for item in returned]
            seen[row].append((*record, states[row]))

    for episode in range(2):
        note(env.reset(seed=seed if episode == 0 else None), list(range(size)))
        step = 0
        while env.agents:
            rows = np.flatnonzero(env.active).tolist()
            own = [
                actions_of(seed + row, 10 * episode + step, env.possible_agents)
                for row in range(size)
            ]
            actions = {a: np.stack([points[a] for points in own]) for a in env.possible_agents}
            note(env.step(actions), rows)
            step += 1
    return seen


def _row_of(value: Any, row: int) -> Any:
    """One question's part of what a batch returned, in the types of the single environment."""
    if isinstance(value, dict):
        return {key: _row_of(item, row) for key, item in value.items()}
    part = value[row]
    return part if isinstance(part, np.ndarray) else part.item()


@pytest.mark.parametrize("size", [1, 3])
def test_a_question_of_a_batch_is_played_as_alone_with_its_own_seed(size: int) -> None:
    together, settings = recording_team()
    batch = play_batch(5, size, {**settings, **ROUNDS})
    batch_log = sorted(line for model in together for line in model.log)
    alone_log: list[str] = []
    for row in range(size):
        models, settings = recording_team()
        assert data_equivalence(batch[row], play_alone(5 + row, {**settings, **ROUNDS}))
        alone_log += [line for model in models for line in model.log]
    assert batch_log == sorted(alone_log), "requests are equal to the last byte"


PROBE = """
import sys
sys.path.insert(0, {root!r})
from tests.econ_env.envs.test_batched import fingerprint
print(fingerprint(3))
"""


def fingerprint(seed: int) -> str:
    """A hash of every request, observation and reward of two episodes."""
    models, settings = recording_team()
    seen = play_alone(seed, {**settings, **ROUNDS})
    digest = hashlib.sha256()
    for line in sorted(line for model in models for line in model.log):
        digest.update(line.encode())
    for record in seen:
        for agent, observation in record[0].items():
            digest.update(agent.encode() + observation.tobytes())
        digest.update(json.dumps(record[1]).encode() + record[-1].tobytes())
    return digest.hexdigest()


def test_another_process_sends_the_same_requests_and_sees_the_same(repository: Any) -> None:
    other = subprocess.run(
        [sys.executable, "-c", PROBE.format(root=str(repository))],
        capture_output=True,
        text=True,
        check=True,
        # Another hash seed: nothing may depend on the order of a set.
        env={"PYTHONHASHSEED": "12345", "PATH": ""},
    )
    assert other.stdout.strip() == fingerprint(3)
    assert other.stdout.strip() != fingerprint(4)


def test_every_phase_is_one_call_of_each_model() -> None:
    models, settings = recording_team()
    env = batched_parallel_env(16, **settings)
    env.reset(seed=0)
    env.step({agent: np.zeros((16, 2)) for agent in env.possible_agents})
    *executors, coordinator = models
    assert [model.calls for model in executors] == [[16]] * 3
    assert coordinator.calls == [16, 16], "strategies, then commitments"


def test_what_is_returned_has_a_leading_axis_of_questions() -> None:
    env = make(4, n_agents=2)
    observations, infos = env.reset(seed=0)
    size = env.observation_spaces["executor_0"].shape
    assert size is not None
    rewards, terminations, truncations, infos = env.step(
        {agent: np.zeros((4, 2)) for agent in env.agents}
    )[1:]
    for agent in env.possible_agents:
        assert observations[agent].shape == (4, *size)
        assert observations[agent].dtype == np.float32
        assert rewards[agent].shape == (4,)
        assert terminations[agent].dtype == truncations[agent].dtype == np.bool_
        assert tuple(infos[agent]) == INFO_KEYS
        assert all(values.shape == (4,) for values in infos[agent].values())
    assert env.state().shape == (4, *(env.state_space.shape or ()))


def test_a_finished_question_idles_until_it_is_reset() -> None:
    env = make(3, bne_rounds=2)
    env.reset(seed=0)
    points = {agent: np.zeros((3, 2)) for agent in env.possible_agents}
    env.step(points)
    # Question 1 moves its actions, the others do not: those close by "no deviation".
    for agent in points:
        points[agent] = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    _, _, terminations, _, infos = env.step(points)
    codes = [CLOSED_BY_CODES[name] for name in ("no_deviation", "bne_rounds", "no_deviation")]
    assert infos["executor_0"]["closed_by"].tolist() == codes
    assert terminations["executor_0"].tolist() == [True, True, True]
    assert env.agents == []

    mask = np.array([False, True, False])
    before = env.state()
    env.reset(mask=mask)
    assert env.active.tolist() == mask.tolist()
    assert env.agents == env.possible_agents
    np.testing.assert_array_equal(env.state()[[0, 2]], before[[0, 2]])
    # Rows of idle questions are not even read.
    points = {agent: np.full((3, 2), np.nan) for agent in env.possible_agents}
    for values in points.values():
        values[1] = 0.5
    _, rewards, terminations, _, infos = env.step(points)
    assert terminations["executor_0"].tolist() == [True, False, True]
    assert all(values[[0, 2]].tolist() == [0.0, 0.0] for values in rewards.values())
    assert infos["executor_0"]["round"].tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="executor_0 for question 1 must be finite"):
        env.step({agent: np.full((3, 2), np.nan) for agent in env.possible_agents})


def test_masked_reset_with_a_seed_restarts_those_questions_only() -> None:
    env = make(2)
    env.reset(seed=0)
    first = [transcript.question.id for transcript in env.transcripts]
    env.reset()
    env.reset(seed=0, mask=[True, False])
    again = env.transcripts
    assert (again[0].question.id, again[0].episode) == (first[0], 0)
    assert again[1].episode == 1


def test_places_that_were_never_reset_have_no_transcript() -> None:
    source = load_questions("simulated")
    env = make(3)
    assert env.transcripts == []
    env.reset(options={"question": 4}, mask=[False, True, False])
    assert [transcript.question for transcript in env.transcripts] == [source[4]]


@pytest.mark.parametrize("mask", [[True], [1, 0], np.ones((2, 1), dtype=bool), "all"])
def test_a_malformed_mask_is_a_value_error(mask: Any) -> None:
    with pytest.raises(ValueError, match="mask must be 2 booleans"):
        make(2).reset(mask=mask)


def test_an_empty_mask_starts_nothing() -> None:
    env = make(2)
    env.reset(seed=0, mask=[False, False])
    assert env.agents == []
    with pytest.raises(ResetNeeded):
        env.step({agent: np.zeros((2, 2)) for agent in env.possible_agents})


def test_questions_can_be_chosen_for_all_or_for_each() -> None:
    source = load_questions("simulated")
    env = make(2)
    env.reset(options={"question": 4})
    assert [t.question for t in env.transcripts] == [source[4]] * 2
    env.reset(options={"question": [source[1], 2]})
    assert [t.question for t in env.transcripts] == [source[1], source[2]]
    with pytest.raises(ValueError, match="lists 3 questions for 2"):
        env.reset(options={"question": [0, 1, 2]})


def test_reward_weights_belong_to_the_episodes_they_came_with() -> None:
    env = make(2)
    env.reset(seed=0)
    only_own_answer = {"reward_weights": {"ts": 1.0, "al": 0.0, "cc": 0.0}}
    env.reset(options=only_own_answer, mask=[True, False])
    _, rewards, _, _, infos = env.step({agent: np.zeros((2, 2)) for agent in env.agents})
    for agent, info in infos.items():
        mixed = 0.4 * info["ts"] + 0.4 * info["al"] + 0.2 * info["cc"]
        np.testing.assert_allclose(rewards[agent], [info["ts"][0], mixed[1]])


def test_values_that_could_not_be_graded_are_counted_in_the_infos(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = load_questions("simulated")
    readable, hard = source[0], replace(source[1], gold=r"\sqrt{905}")
    lost = replace(source[2], id="lost", gold="####")

    class Stalled:
        def judge(self, gold: str, answer: str) -> Verdict:
            return Verdict.TIMEOUT

    monkeypatch.setattr("econ_env.grading.answers._worker", Stalled())
    env = make(3)
    _, infos = env.reset(options={"question": [readable, hard, lost]})
    assert infos["executor_0"]["timeout"].tolist() == [0, 0, 0]
    infos = env.step({agent: np.zeros((3, 2)) for agent in env.agents})[4]
    for info in infos.values():
        # Three executors and the coordinator.
        assert info["timeout"].tolist() == [0, 4, 0]
        assert info["unparseable"].tolist() == [0, 0, 4]
        assert info["correct"].tolist()[1:] == [0, 0]
    summary = summarise(env.transcripts)
    assert (summary.unparseable, summary.timeouts) == (4, 4)


def test_closing_the_shared_models_leaves_environments_able_to_play() -> None:
    loaded: list[CountingModel] = []

    def load(name: str, settings: object) -> CountingModel:
        loaded.append(CountingModel(name))
        return loaded[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("econ_env.llm.registry._build", load)
        close_shared_models()
        env = make(1)
        for _ in range(2):
            env.reset()
            while env.agents:
                env.step({agent: np.zeros((1, 2)) for agent in env.agents})
            assert sum(model.counted for model in loaded) > 0
            close_shared_models()
    assert len(loaded) == 8, "four models, loaded twice"


class CountingModel(RecordingModel):
    """A model with little room, so that its tokens are counted; no use once it is closed."""

    context_limit = 250

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.counted = 0
        self.closed = False

    def count_tokens(self, text: str) -> int:
        assert not self.closed, "a closed model was asked"
        self.counted += 1
        return super().count_tokens(text)

    def close(self) -> None:
        self.closed = True


def test_a_failure_of_one_question_leaves_the_others_alone() -> None:
    doomed = load_questions("simulated")[1]

    def fails(request: ChatRequest) -> bool:
        return request.role == "execute" and doomed.text in request.messages[0].content

    env = make(3, llm=FlakyModel(fails), prompts="compact", embedder="hashing")
    env.reset(options={"question": [0, 1, 2]})
    _, rewards, terminations, truncations, infos = env.step(
        {agent: np.zeros((3, 2)) for agent in env.possible_agents}
    )
    assert terminations["executor_0"].tolist() == [True, False, True]
    assert truncations["executor_0"].tolist() == [False, True, False]
    assert infos["executor_0"]["failed"].tolist() == [0, 1, 0]
    assert rewards["executor_0"][1] == 0
    assert (rewards["executor_0"][[0, 2]] > 0).all()


def test_groups_have_local_strategies_and_commitments() -> None:
    log: list[str] = []
    model = RecordingModel(log=log)
    env = make(2, llm=model, prompts="compact", embedder="hashing", n_agents=4, group_size=2)
    env.reset(seed=0)
    roles = [json.loads(line)["role"] for line in log]
    assert roles == ["strategy"] * 2 + ["local_strategy"] * 4
    infos = env.step({agent: np.zeros((2, 2)) for agent in env.agents})[4]
    assert infos["executor_0"]["commitments_asked"].tolist() == [3, 3]


@pytest.mark.parametrize("shape", [(2,), (3, 2), (2, 3)])
def test_a_wrong_shape_is_a_value_error(shape: tuple[int, ...]) -> None:
    env = make(2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"executor_0 must have shape \(2, 2\)"):
        env.step({agent: np.zeros(shape) for agent in env.agents})


def test_a_batch_needs_a_question() -> None:
    with pytest.raises(ValueError, match="num_questions"):
        make(0)


def test_environments_share_models_and_leave_them_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EnvConfig(
        dataset="simulated",
        llm="simulated",
        cache="read_write",
        cache_path=tmp_path / "cache.sqlite",
        max_requests=11,
    )
    models = config.models()
    closed: list[str] = []
    monkeypatch.setattr(models, "close", lambda: closed.append("closed"))
    first, second = (BatchedEconEnv(config, num_questions=2, models=models) for _ in range(2))
    actions = {agent: np.zeros((2, 2)) for agent in config.agents}
    first.reset(seed=0)
    first.step(actions)
    first.close()
    spent = models.spending
    second.reset(seed=0)
    second.step(actions)
    assert second.spending == first.spending == spent
    assert second.usage_from_cache == models.usage
    second.reset(seed=1)
    with pytest.raises(BudgetExceeded):
        second.step(actions)
    second.close()
    assert closed == []
    monkeypatch.undo()
    models.close()


def test_a_run_in_which_nothing_succeeds_ends_with_the_commonest_failure() -> None:
    env = make(
        3,
        llm=FlakyModel(lambda request: True),
        prompts="compact",
        embedder="hashing",
        max_failures_in_a_row=5,
    )
    actions = dict.fromkeys(env.possible_agents, np.zeros((3, 2), dtype=np.float32))
    env.reset(seed=0)
    env.step(actions)
    env.reset()
    with pytest.raises(NothingSucceeds, match=r"\(6 of 6\): the test said so"):
        env.step(actions)
    assert [transcript.failed is None for transcript in env.transcripts] == [False] * 3
    env.reset()  # and may be tried again
    env.step(actions)
