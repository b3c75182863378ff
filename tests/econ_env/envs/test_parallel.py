"""One question: the rules of the parallel environment, seen from outside."""

from __future__ import annotations

import inspect
import json
import pickle
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box
from hypothesis import given
from hypothesis import strategies as st

import econ_env
from econ_env import EconParallelEnv, EnvConfig
from econ_env.embeddings import load_embedder
from econ_env.envs.infos import CLOSED_BY_CODES, INFO_KEYS
from econ_env.game.prompts import COMPACT
from econ_env.game.transcript import Transcript
from econ_env.llm import ChatRequest, Completion, ModelError
from econ_env.llm.api import ApiSettings
from econ_env.questions import LocalQuestions, OutOfQuestions, load_questions
from tests.support import FlakyModel, RecordingModel

Actions = dict[str, Any]


def make(**settings: Any) -> EconParallelEnv:
    return EconParallelEnv(**{"dataset": "simulated", "llm": "simulated", **settings})


def make_with(model: RecordingModel, **settings: Any) -> EconParallelEnv:
    """An environment whose models are objects; nothing is known about those."""
    return make(**{"llm": model, "prompts": "compact", "embedder": "hashing", **settings})


def same_action(env: EconParallelEnv, point: Sequence[float] = (0.0, 0.0)) -> Actions:
    return dict.fromkeys(env.possible_agents, np.array(point, dtype=np.float32))


def random_actions(env: EconParallelEnv, rng: np.random.Generator) -> Actions:
    return {agent: rng.uniform(-1, 1, 2) for agent in env.possible_agents}


# --- settings -------------------------------------------------------------------------------------


def test_the_constructor_declares_every_setting_with_its_default() -> None:
    parameters = dict(inspect.signature(EconParallelEnv.__init__).parameters)
    del parameters["self"], parameters["render_mode"]
    declared = {name: parameter.default for name, parameter in parameters.items()}
    settings = {item.name: item.default for item in fields(EnvConfig)}
    assert MISSING not in settings.values()
    assert declared == settings


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(TypeError, match="temprature"):
        make(temprature=1.0)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("n_agents", 0),
        ("bne_rounds", 0),
        ("max_rounds", 1.5),
        ("max_cycles", 0),
        ("group_size", 1),
        ("commitment_rule", "vote"),
        ("prompts", "short"),
        ("order", "random"),
        ("temperature_min", 3.0),
        ("top_p", 0.0),
        ("sampling_digits", -1),
        ("convergence_threshold", -0.1),
        ("cc_fidelity_weight", 1.1),
        ("reward_weights", {"ts": 1.0}),
        ("render_mode", "video"),
        ("dataset", "arithmetic"),
    ],
)
def test_a_setting_out_of_range_is_an_error_that_names_it(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=setting.removesuffix("_min").replace("cycles", "")[:5]):
        make(**{setting: value})


def test_max_cycles_is_another_name_of_max_rounds() -> None:
    assert make(max_cycles=4).config.max_rounds == 4
    with pytest.raises(ValueError, match="two names of one setting"):
        make(max_cycles=4, max_rounds=3)


def test_settings_turn_into_json() -> None:
    config = EnvConfig(
        dataset="simulated",
        llm=[RecordingModel("simulated:0"), "simulated:1", "simulated:2"],
        prompts="compact",
        reward_weights={"ts": 1.0, "al": 0.0, "cc": 0.0},
    )
    data = json.loads(json.dumps(config.to_json()))
    assert data["llm"] == ["simulated:0", "simulated:1", "simulated:2"]
    assert data["reward_weights"] == {"ts": 1.0, "al": 0.0, "cc": 0.0}


# --- spaces and layout ----------------------------------------------------------------------------


def test_spaces_are_exact_boxes_and_always_the_same_objects() -> None:
    env = make(n_agents=4)
    for agent in env.possible_agents:
        assert env.observation_space(agent) is env.observation_spaces[agent]
        assert env.action_space(agent) is env.action_spaces[agent]
        for space in (env.observation_space(agent), env.action_space(agent), env.state_space):
            assert type(space) is Box
            assert space.dtype == np.float32
            assert np.all(space.low == -1.0)
            assert np.all(space.high == 1.0)
    assert len(set(map(id, env.action_spaces.values()))) == 4
    assert all(space == env.action_spaces["executor_0"] for space in env.action_spaces.values())


def test_no_attribute_has_a_name_that_other_libraries_misread() -> None:
    env = make()
    for name in ("num_envs", "device", "batch_size", "state_spaces", "seed"):
        assert not hasattr(env, name)


def test_layouts_tile_observation_and_state() -> None:
    env = make(n_agents=2)
    for layout, space in (
        (env.observation_layout, env.observation_spaces["executor_0"]),
        (env.state_layout, env.state_space),
    ):
        covered = [i for part in layout.values() for i in range(part.start, part.stop)]
        assert space.shape is not None
        assert covered == list(range(space.shape[0]))
    as_json = json.loads(json.dumps(env.metadata))["observation_layout"]
    assert {name: slice(*ends) for name, ends in as_json.items()} == env.observation_layout


def test_observations_hold_what_happened_and_zeros_for_the_rest() -> None:
    env = make(bne_rounds=2, max_rounds=2)
    layout = env.observation_layout
    before, _ = env.reset(seed=3)
    own = before["executor_1"]
    assert np.linalg.norm(own[layout["question"]]) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(own[layout["strategy"]]) == pytest.approx(1, abs=1e-5)
    for part in ("response", "commitment", "action", "round", "decision"):
        assert not own[layout[part]].any()
    actions = {agent: np.array([0.5, -0.25 * i]) for i, agent in enumerate(env.agents)}
    after, *_ = env.step(actions)
    own = after["executor_1"]
    np.testing.assert_allclose(own[layout["action"]], [0.5, -0.25])
    assert own[layout["round"]] == 0.5
    assert own[layout["decision"]] == 0
    for part in ("response", "commitment"):
        assert np.linalg.norm(own[layout[part]]) == pytest.approx(1, abs=1e-5)
    state, shared = env.state(), env.state_layout
    np.testing.assert_array_equal(state[shared["response_1"]], own[layout["response"]])
    np.testing.assert_array_equal(state[shared["action_1"]], own[layout["action"]])
    np.testing.assert_array_equal(state[shared["commitment"]], own[layout["commitment"]])


def test_every_executor_sees_its_own_response_and_all_see_the_commitment() -> None:
    env = make()
    env.reset(seed=5)
    actions = {agent: np.array([0.9, 0.3 * i]) for i, agent in enumerate(env.agents)}
    observations, *_ = env.step(actions)
    embed = load_embedder("hashing").embed
    round_ = env.transcript.decisions[0].rounds[0]
    commitment = round_.commitments[-1]
    assert len({executor.text for executor in round_.executors}) > 1
    layout, shared, state = env.observation_layout, env.state_layout, env.state()
    for i, executor in enumerate(round_.executors):
        own = observations[executor.agent]
        np.testing.assert_array_equal(own[layout["response"]], embed([executor.text])[0])
        np.testing.assert_array_equal(state[shared[f"response_{i}"]], own[layout["response"]])
        np.testing.assert_array_equal(state[shared[f"action_{i}"]], own[layout["action"]])
        concluded = COMPACT.conclusion(commitment.value, commitment.reason)
        np.testing.assert_array_equal(own[layout["commitment"]], embed([concluded])[0])
    env.reset()
    assert not env.state()[shared["commitment"].start :].any(), "a new episode starts empty"


def test_actions_beyond_the_box_are_clipped() -> None:
    env = make()
    env.reset(seed=0)
    observations, *_ = env.step(same_action(env, (7.0, -7.0)))
    own = observations["executor_0"][env.observation_layout["action"]]
    np.testing.assert_array_equal(own, [1.0, -1.0])
    executor = env.transcript.decisions[0].rounds[0].executors[0]
    assert (executor.temperature, executor.repetition_penalty) == (2.0, 0.8)


def test_what_is_returned_shares_no_memory_with_later_returns() -> None:
    env = make(bne_rounds=2)
    first, infos = env.reset(seed=0)
    state = env.state()
    kept = first["executor_0"].copy(), state.copy()
    for array in (first["executor_0"], state):
        array[:] = 9.0
    infos["executor_0"]["ts"] = 9.0
    again = env.state()
    np.testing.assert_array_equal(again, kept[1])
    second, _, _, _, more = env.step(same_action(env))
    assert not np.shares_memory(first["executor_0"], second["executor_0"])
    assert np.all(np.abs(second["executor_0"]) <= 1)
    assert more["executor_0"] is not more["executor_1"]
    assert more["executor_0"]["ts"] <= 1


# --- episodes -------------------------------------------------------------------------------------


def test_one_round_is_the_whole_episode_by_default() -> None:
    env = make()
    agents = env.possible_agents
    env.reset(seed=0)
    before = env.agents
    _, rewards, terminations, truncations, infos = env.step(same_action(env))
    assert before == agents
    assert before is not agents
    assert env.agents == []
    assert list(rewards) == list(terminations) == list(truncations) == list(infos) == agents
    assert all(value is True for value in terminations.values())
    assert all(value is False for value in truncations.values())
    assert all(type(reward) is float for reward in rewards.values())
    assert infos["executor_0"]["closed_by"] == CLOSED_BY_CODES["bne_rounds"]
    assert env.state_space.contains(env.state())


def test_agents_that_do_not_move_end_the_decision_without_new_requests() -> None:
    env = make(bne_rounds=3)
    env.reset(seed=1)
    rewards, infos = env.step(same_action(env))[1::3]
    assert set(rewards.values()) == {0.0}
    assert infos["executor_0"]["decision_closed"] == 0
    spent = env.usage
    _, rewards, terminations, _, infos = env.step(same_action(env, (0.005, 0.0)))
    assert env.usage == spent
    assert terminations["executor_0"]
    assert infos["executor_0"]["closed_by"] == CLOSED_BY_CODES["no_deviation"]
    assert infos["executor_0"]["commitments_asked"] == 0
    assert min(rewards.values()) > 0


def test_rewards_are_the_weighted_components_of_the_infos() -> None:
    env = make(max_rounds=2)
    env.reset(seed=4, options={"reward_weights": {"ts": 0.5, "al": 0.3, "cc": 0.2}})
    while env.agents:
        _, rewards, _, _, infos = env.step(same_action(env, (0.3, 0.1)))
        for agent, reward in rewards.items():
            info = infos[agent]
            expected = 0.5 * info["ts"] + 0.3 * info["al"] + 0.2 * info["cc"]
            assert reward == pytest.approx(expected)
        assert infos["executor_0"]["decision_closed"] == 1
    env.reset()
    _, rewards, _, _, infos = env.step(same_action(env, (0.3, 0.1)))
    info = infos["executor_2"]
    expected = 0.4 * info["ts"] + 0.4 * info["al"] + 0.2 * info["cc"]
    assert rewards["executor_2"] == pytest.approx(expected), "weights hold for one episode"


def test_an_own_correct_answer_earns_ts_and_no_answer_earns_nothing() -> None:
    class Scripted(RecordingModel):
        def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
            if requests[0].role != "execute":
                return super().generate(requests)
            texts = [f"so \\boxed{{{gold}}}", "no idea", "so \\boxed{123456}"]
            return [Completion(text=text) for text in texts]

    question = load_questions("simulated")[0]
    gold = question.gold
    env = make_with(Scripted())
    env.reset(options={"question": question})
    _, rewards, _, _, infos = env.step(same_action(env))
    assert [info["ts"] for info in infos.values()] == [1.0, 0.0, 0.0]
    assert rewards["executor_1"] == infos["executor_1"]["al"] == infos["executor_1"]["cc"] == 0.0
    assert infos["executor_2"]["al"] > 0
    paid = env.transcript.decisions[0].rewards
    assert paid is not None
    assert paid.agents == tuple(rewards.values())
    assert paid.components["TS"] == (1.0, 0.0, 0.0)
    assert paid.team == infos["executor_0"]["team_reward"]
    assert paid.team_components["TS"] == infos["executor_0"]["correct"]


def test_infos_have_constant_keys_and_plain_floats() -> None:
    env = make(bne_rounds=2)
    _, infos = env.reset(seed=0)
    assert all(value == 0.0 for info in infos.values() for value in info.values())
    seen = [infos, env.step(same_action(env))[4], env.step(same_action(env, (1, 1)))[4]]
    for infos in seen:
        assert list(infos) == env.possible_agents
        for info in infos.values():
            assert tuple(info) == INFO_KEYS
            assert all(type(value) is float for value in info.values())


def test_tokens_in_infos_are_those_of_the_transcript() -> None:
    env = make(bne_rounds=2)
    env.reset(seed=0)
    env.step(same_action(env))
    infos = env.step(same_action(env, (1, 1)))[4]
    usage = env.transcript.usage
    assert infos["executor_0"]["prompt_tokens"] == usage.prompt_tokens > 0
    assert infos["executor_0"]["completion_tokens"] == usage.completion_tokens > 0
    assert env.usage == usage
    env.reset()
    assert env.usage.requests == usage.requests + 1, "usage goes on over episodes"


def test_reset_makes_one_call_and_a_step_asks_everybody_once() -> None:
    log: list[str] = []
    models = [RecordingModel(f"simulated:{i}", log) for i in range(3)]
    coordinator = RecordingModel("simulated:coordinator", log)
    env = make(llm=models, coordinator=coordinator, prompts="compact", embedder="hashing")
    assert log == [], "nothing is asked before the first reset"
    env.reset(seed=0)
    assert [json.loads(line)["role"] for line in log] == ["strategy"]
    env.step(same_action(env))
    assert [json.loads(line)["role"] for line in log[1:]] == ["execute"] * 3 + ["commit"]


# --- seeds and questions --------------------------------------------------------------------------


def test_reset_without_a_seed_goes_on_and_with_it_starts_again() -> None:
    env = make()
    ids = []
    for seed in (5, None, None, 5, None):
        env.reset(seed=seed)
        ids.append((env.transcript.question.id, env.transcript.episode))
    assert ids[:2] == ids[3:]
    assert len(set(ids)) == 3
    fresh = make(seed=5)
    fresh.reset()
    assert fresh.transcript.question.id == ids[0][0], "the constructor's seed is the first one"


def test_options_choose_the_question_and_leave_the_order_alone() -> None:
    env = make(order="sequential")
    source = load_questions("simulated")
    env.reset(options={"question": 7, "something else": object()})
    assert env.transcript.question == source[7]
    env.reset(options={"question": source[2]})
    assert env.transcript.question == source[2]
    env.reset()
    assert env.transcript.question == source[0]
    env.reset(options={"question": "How many are 3 pens and 4 pens?"})
    assert env.transcript.question.text == "How many are 3 pens and 4 pens?"
    for wrong in (len(source), -1, True, 1.0):
        with pytest.raises(ValueError, match="question"):
            env.reset(options={"question": wrong})


def test_a_data_set_that_does_not_loop_ends_with_an_error(tmp_path: Any) -> None:
    rows = [{"question": f"what is {i}+{i}?", "answer": str(2 * i)} for i in range(2)]
    path = tmp_path / "two.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    env = make_with(RecordingModel(), dataset=LocalQuestions(path), loop=False)
    env.reset()
    env.reset()
    with pytest.raises(OutOfQuestions):
        env.reset()


# --- mistakes and failures ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"executor_0": [np.nan, 0.0]}, "executor_0.*finite"),
        ({"executor_2": [0.0, np.inf]}, "executor_2.*finite"),
        ({"executor_1": [0.0]}, r"executor_1.*shape \(2,\)"),
        ({"executor_1": [[0.0, 0.0]]}, r"executor_1.*shape \(2,\)"),
        ({"executor_1": "hot"}, "executor_1"),
        ({"executor_1": None}, "executor_1"),
        ({"executor_3": [0.0, 0.0]}, "unknown: executor_3"),
    ],
)
def test_a_wrong_action_is_a_value_error_that_changes_nothing(wrong: Actions, message: str) -> None:
    env = make()
    env.reset(seed=0)
    before = env.transcript
    with pytest.raises(ValueError, match=message):
        env.step({**same_action(env), **wrong})
    assert env.transcript == before
    env.step(same_action(env))


def test_a_missing_agent_is_a_value_error() -> None:
    env = make()
    env.reset(seed=0)
    actions = same_action(env)
    del actions["executor_1"]
    with pytest.raises(ValueError, match="missing: executor_1"):
        env.step(actions)


def test_step_needs_a_running_episode() -> None:
    env = make()
    with pytest.raises(ResetNeeded, match="reset"):
        env.step(same_action(env))
    with pytest.raises(ResetNeeded, match="reset"):
        env.state()
    env.reset(seed=0)
    env.step(same_action(env))
    with pytest.raises(ResetNeeded, match="reset"):
        env.step(same_action(env))


@pytest.mark.parametrize("role", ["strategy", "execute", "commit"])
def test_a_failed_request_truncates_the_episode_and_is_never_scored(role: str) -> None:
    def fails(request: ChatRequest) -> bool:
        return request.role == role

    env = make_with(FlakyModel(fails), bne_rounds=2)
    observations, infos = env.reset(seed=0)
    assert env.agents, "a failure at reset is reported by the first step"
    assert all(value == 0.0 for value in infos["executor_0"].values())
    observations, rewards, terminations, truncations, infos = env.step(same_action(env))
    assert set(rewards.values()) == {0.0}
    assert set(terminations.values()) == {False}
    assert set(truncations.values()) == {True}
    assert env.agents == []
    for agent in env.possible_agents:
        assert infos[agent]["failed"] == 1
        assert infos[agent]["closed_by"] == CLOSED_BY_CODES["failed"]
        assert infos[agent]["decision_closed"] == 0
        assert env.observation_space(agent).contains(observations[agent])
    assert "the test said so" in str(env.transcript.failed)
    env.reset()
    assert env.agents


def test_an_episode_after_a_failure_is_played_as_usual() -> None:
    episodes = iter([True, False])
    failing = {"now": False}
    model = FlakyModel(lambda request: failing["now"])
    env = make_with(model)
    for fails in episodes:
        failing["now"] = False
        env.reset()
        failing["now"] = fails
        truncations = env.step(same_action(env))[3]
        assert truncations["executor_0"] is fails


def test_an_exception_of_a_model_ends_the_episode_but_not_the_environment() -> None:
    class Broken(RecordingModel):
        def generate(self, requests: Sequence[ChatRequest]) -> Any:
            if requests[0].role == "execute" and self.broken:
                raise KeyboardInterrupt
            return super().generate(requests)

        broken = True

    model = Broken()
    env = make_with(model, bne_rounds=2)
    env.reset(seed=0)
    with pytest.raises(KeyboardInterrupt):
        env.step(same_action(env))
    with pytest.raises(ResetNeeded):
        env.step(same_action(env))
    model.broken = False
    env.reset()
    env.step(same_action(env))


def test_a_model_that_answers_too_little_is_an_error() -> None:
    class Short(RecordingModel):
        def generate(self, requests: Sequence[ChatRequest]) -> Any:
            return super().generate(requests)[:-1]

    env = make_with(Short())
    with pytest.raises(ModelError, match="0 completions for 1 requests"):
        env.reset()


# --- copies, rendering, closing -------------------------------------------------------------------


def test_a_pickled_environment_is_made_anew_from_its_arguments() -> None:
    env = make(n_agents=2, bne_rounds=2, seed=9, render_mode="ansi")
    env.reset()
    env.step(same_action(env))
    copy = pickle.loads(pickle.dumps(env))  # noqa: S301 - our own bytes
    assert copy.config == env.config
    assert copy.render_mode == "ansi"
    assert copy.agents == []
    with pytest.raises(ResetNeeded):
        copy.step(same_action(copy))
    first = copy.reset()[0]
    again = make(n_agents=2, bne_rounds=2, seed=9).reset()[0]
    for agent in copy.possible_agents:
        np.testing.assert_array_equal(first[agent], again[agent])


def test_making_and_pickling_an_environment_loads_no_model(monkeypatch: Any) -> None:
    def refuse(name: str, api: ApiSettings) -> Any:
        raise AssertionError(f"{name} was loaded")

    monkeypatch.setattr("econ_env.llm.registry.shared_model", refuse)
    env = pickle.loads(pickle.dumps(make()))  # noqa: S301 - our own bytes
    with pytest.raises(AssertionError, match="was loaded"):
        env.reset()


def test_human_mode_prints_every_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    env = make(bne_rounds=2, render_mode="human")
    env.reset(seed=1)
    env.step(same_action(env))
    assert env.render() is None
    env.step(same_action(env, (1.0, 0.0)))
    printed = capsys.readouterr().out
    quiet = make(bne_rounds=2, render_mode="ansi")
    quiet.reset(seed=1)
    quiet.step(same_action(quiet))
    quiet.step(same_action(quiet, (1.0, 0.0)))
    assert printed == quiet.render()
    assert "\x1b" not in printed, "no colour where there is no terminal"
    assert quiet.transcript.question.text in printed


def test_rendering_before_the_first_reset_says_what_to_do() -> None:
    with pytest.raises(ResetNeeded, match="reset"):
        make(render_mode="ansi").render()


def test_the_transcript_survives_json() -> None:
    env = make(bne_rounds=2)
    env.reset(seed=0)
    env.step(same_action(env))
    data = json.loads(json.dumps(env.transcript.to_json()))
    assert Transcript.from_json(data) == env.transcript


def test_close_may_be_called_twice_and_at_any_time() -> None:
    env = make()
    env.close()
    env.reset(seed=0)
    env.close()
    env.close()
    assert env.agents == env.possible_agents


# --- invariants -----------------------------------------------------------------------------------


@pytest.mark.slow
@given(
    n_agents=st.integers(1, 5),
    bne_rounds=st.integers(1, 3),
    max_rounds=st.integers(1, 2),
    grouped=st.booleans(),
    rule=st.sampled_from(["coordinator", "guarded"]),
    seed=st.integers(0, 2**31 - 1),
)
def test_random_episodes_keep_every_promise(
    n_agents: int, bne_rounds: int, max_rounds: int, grouped: bool, rule: str, seed: int
) -> None:
    env = make(
        n_agents=n_agents,
        bne_rounds=bne_rounds,
        max_rounds=max_rounds,
        group_size=2 if grouped else None,
        commitment_rule=rule,
    )
    rng = np.random.default_rng(seed)
    for episode in range(10):
        observations, infos = env.reset(seed=seed if episode == 0 else None)
        assert env.agents == env.possible_agents
        closed = steps = 0
        while env.agents:
            observations, rewards, terminations, truncations, infos = env.step(
                random_actions(env, rng)
            )
            steps += 1
            info = infos["executor_0"]
            closed += int(info["decision_closed"])
            assert info["decision"] == closed
            assert 1 <= info["round"] <= bne_rounds
            assert len(set(terminations.values())) == 1
            assert not any(truncations.values())
            assert (closed == max_rounds) == all(terminations.values()) == (not env.agents)
            assert info["commitments_json"] <= info["commitments_asked"]
            assert env.state_space.contains(env.state())
            for agent in env.possible_agents:
                assert env.observation_space(agent).contains(observations[agent])
                assert infos[agent]["team_reward"] == info["team_reward"]
                assert 0 <= rewards[agent] <= 1
                assert rewards[agent] == 0 or info["decision_closed"]
        assert max_rounds <= steps <= max_rounds * bne_rounds
        assert steps == sum(1 for _ in env.transcript.rounds())


def test_public_names_exist() -> None:
    for name in econ_env.__all__:
        assert hasattr(econ_env, name)
