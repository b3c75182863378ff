"""Seeds, options, rendering and attributes of the vector environment."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics

from econ_env.envs.joint_vector import JointVectorEnv
from econ_env.envs.vector import AutoresetMode


def make(num_envs: int, **settings: Any) -> JointVectorEnv:
    return JointVectorEnv(num_envs, **{"dataset": "simulated", "llm": "simulated", **settings})


def questions(env: JointVectorEnv) -> list[str]:
    return [transcript.question.id for transcript in env.get_attr("transcript")]


def test_a_seed_counts_up_over_the_environments() -> None:
    env, last = make(3), make(1)
    env.reset(seed=7)
    last.reset(seed=9)
    assert questions(env)[2:] == questions(last)
    listed = make(3)
    assert data_equivalence(env.reset(seed=7), listed.reset(seed=[7, 8, 9]))
    assert data_equivalence(env.reset(seed=7), env.reset(seed=np.int64(7)))  # type: ignore[arg-type]


def test_seeds_must_be_as_many_as_environments() -> None:
    with pytest.raises(ValueError, match="lists 3 seeds for 2 places"):
        make(2).reset(seed=[1, 2, 3])


def test_an_environment_whose_seed_is_none_goes_on() -> None:
    env, other = make(2), make(2)
    for each in (env, other):
        each.reset(seed=7)
    env.reset(seed=[1, None])
    other.reset()
    assert questions(env)[1] == questions(other)[1]


def test_environments_that_never_got_a_seed_differ() -> None:
    env, again = make(8), make(8)
    env.reset()
    again.reset()
    assert len({*questions(env)}) > 1
    assert questions(env) == questions(again)


def test_a_reset_with_a_mask_leaves_the_others_in_their_episodes() -> None:
    env = make(3, bne_rounds=2)
    env.reset(seed=0)
    env.step(np.zeros((3, 6)))
    before = [transcript.episode for transcript in env.get_attr("transcript")]
    mask = np.array([False, True, False])
    options = {"reset_mask": mask}
    observations, infos = env.reset(options=options)
    assert options == {"reset_mask": mask}, "the caller's options stay as they are"
    after = [transcript.episode for transcript in env.get_attr("transcript")]
    assert (before, after) == ([0, 0, 0], [0, 1, 0])
    np.testing.assert_array_equal(infos["_round"], mask)
    round_part = observations[:, env.state_layout["round"]]
    assert round_part.ravel().tolist() == [0.5, 0.0, 0.5]


@pytest.mark.parametrize("mask", [[True], [1, 0], [False, False], "all", None])
def test_a_malformed_mask_is_a_value_error(mask: Any) -> None:
    with pytest.raises(ValueError, match="must be 2 booleans"):
        make(2).reset(options={"reset_mask": mask})


def test_an_environment_that_was_reset_by_hand_is_not_reset_again() -> None:
    env = make(2)
    env.reset(seed=0)
    env.step(np.zeros((2, 6)))
    env.reset(options={"reset_mask": np.array([True, False])})
    _, rewards, terminations, _, _ = env.step(np.zeros((2, 6)))
    assert terminations.tolist() == [True, False]
    assert (rewards > 0).tolist() == [True, False]


def test_reward_weights_can_be_given_for_each_environment() -> None:
    env = make(2)
    weights = [{"ts": 1.0, "al": 0.0, "cc": 0.0}, {"ts": 0.0, "al": 1.0, "cc": 0.0}]
    env.reset(seed=0, options={"reward_weights": weights})
    infos = env.step(np.zeros((2, 6)))[4]
    np.testing.assert_allclose(infos["rewards"], [infos["ts"][0], infos["al"][1]])


def test_usage_counts_all_environments() -> None:
    env = make(4)
    env.reset(seed=0)
    env.step(np.zeros((4, 6)))
    spent = [transcript.usage for transcript in env.get_attr("transcript")]
    assert env.usage.completion_tokens == sum(usage.completion_tokens for usage in spent)
    assert env.usage.requests == sum(usage.requests for usage in spent)


def test_options_nobody_knows_are_ignored() -> None:
    assert data_equivalence(make(2).reset(seed=0, options={"anything": 1}), make(2).reset(seed=0))


def test_every_info_has_its_mask_and_an_entry_for_every_environment() -> None:
    env = make(4, n_agents=2)
    for infos in (env.reset(seed=0)[1], env.step(env.action_space.sample())[4]):
        for key in [key for key in infos if not key.startswith("_")]:
            assert infos[key].shape in ((4,), (4, 2))
            assert infos[f"_{key}"].tolist() == [True] * 4


def test_what_is_returned_shares_no_memory_with_what_comes_later() -> None:
    env = make(2, autoreset_mode="SameStep")
    observations, infos = env.reset(seed=0)
    for _ in range(3):
        kept = copy.deepcopy((observations, infos))
        following = env.step(np.zeros((2, 6)))
        assert data_equivalence((observations, infos), kept, exact=True)
        observations, infos = following[0], following[4]


def test_rewards_can_be_changed_without_changing_the_infos() -> None:
    env = make(2)
    env.reset(seed=0)
    _, rewards, _, _, infos = env.step(np.zeros((2, 6)))
    rewards -= 1.0
    assert (infos["team_reward"] > 0).all()


def test_attributes_and_methods_of_the_environments() -> None:
    env = make(2, n_agents=4, render_mode="ansi")
    env.reset(seed=0)
    assert env.get_attr("n_agents") == (4, 4)
    assert env.get_attr("render_mode") == ("ansi", "ansi")
    assert env.get_attr("spec") == (env.spec,) * 2
    assert env.get_attr("metadata") == (env.metadata,) * 2
    assert env.get_attr("action_space") == (env.single_action_space,) * 2
    assert env.get_attr("observation_space") == (env.single_observation_space,) * 2
    assert env.call("render") == env.render()
    with pytest.raises(AttributeError, match="temperature"):
        env.get_attr("temperature")


def test_render_gives_one_text_for_each_environment() -> None:
    env = make(2, render_mode="ansi")
    with pytest.raises(ResetNeeded):
        env.render()
    env.reset(seed=0)
    texts = env.render()
    assert texts is not None
    for text, transcript in zip(texts, env.get_attr("transcript"), strict=True):
        assert transcript.question.text.splitlines()[0] in text
    assert make(2).render() is None


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_people_see_an_episode_when_it_has_ended(
    mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    env = make(2, bne_rounds=2, autoreset_mode=mode, render_mode="human")
    env.reset(seed=0)
    first = env.get_attr("transcript")
    assert capsys.readouterr().out == ""
    ended = np.zeros(2, dtype=np.bool_)
    shown = ""
    while not ended.all():
        ended = ended | env.step(np.zeros((2, 6)))[2]
        shown += capsys.readouterr().out
    assert env.render() is None
    assert [shown.count(f"question {transcript.question.id} ") for transcript in first] == [1, 1]


def test_an_unknown_render_mode_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="render_mode"):
        make(1, render_mode="video")


def test_it_closes_twice_and_copies_from_its_arguments() -> None:
    env = make(2, view="matrix", autoreset_mode="SameStep")
    twin = copy.deepcopy(env)
    assert twin.action_space == env.action_space
    assert twin.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    env.close()
    env.close()
    assert env.closed


def test_gymnasiums_wrappers_read_its_infos() -> None:
    env = DictInfoToList(make(2, autoreset_mode="SameStep"))
    env.reset(seed=0)
    _, rewards, _, _, infos = env.step(np.zeros((2, 6)))
    for index, info in enumerate(infos):
        assert info["final_info"]["team_reward"] == rewards[index]
        assert info["final_obs"] in env.single_observation_space


def test_gymnasiums_statistics_count_its_episodes() -> None:
    env = RecordEpisodeStatistics(make(2))
    env.reset(seed=0)
    for _ in range(3):
        _, rewards, terminations, _, infos = env.step(np.zeros((2, 6)))
        if terminations.all():
            np.testing.assert_allclose(infos["episode"]["r"], rewards, rtol=1e-6)
            assert infos["episode"]["l"].tolist() == [1, 1]
    assert env.episode_count == 4


@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_mode_of_the_resets_is_an_attribute_as_in_gymnasium(mode: AutoresetMode) -> None:
    assert make(1, autoreset_mode=mode).autoreset_mode is mode


def test_callers_can_leave_notes_with_every_environment() -> None:
    env = make(3)
    env.set_attr("task", "easy")
    assert env.get_attr("task") == ("easy",) * 3
    env.set_attr("task", ["a", "b", "c"])
    assert env.call("task") == ("a", "b", "c")
    with pytest.raises(ValueError, match="one for each of 3 environments; got 2"):
        env.set_attr("task", ["a", "b"])
    with pytest.raises(AttributeError, match="missing"):
        env.get_attr("missing")


@pytest.mark.parametrize("name", ["bne_rounds", "transcript", "n_agents", "index", "render"])
def test_what_would_change_the_game_cannot_be_set_afterwards(name: str) -> None:
    with pytest.raises(AttributeError, match="give it to make_vec"):
        make(2).set_attr(name, 5)
