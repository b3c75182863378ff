"""The buffer gives back what was played, as the policy saw it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from econ_agents.algorithm.memory import Flags, FloatArray
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.algorithm.replay_buffer import Batch, EpisodeBuffer
from econ_agents.algorithm.rollout import play_episodes
from econ_agents.config.schema import MemorySettings
from tests.econ_agents.builders import a_policy, an_episode, toy_teams

COMPONENTS = ("ts", "al", "cc")


def buffer(capacity: int = 100, memory_length: int = 2) -> EpisodeBuffer:
    return EpisodeBuffer(capacity=capacity, memory_length=memory_length)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_batch_is_made_of_decisions_as_they_were_played():
    episodes = [an_episode(k, steps, infos=infos(steps)) for k, steps in enumerate((1, 3, 2))]
    store = buffer()
    store.extend(episodes)
    batch = store.sample(40, rng())
    decisions = {
        episode.team_rewards[t].item(): (episode, t)
        for episode in episodes
        for t in range(episode.length)
    }
    found = Counter(batch.team_rewards.tolist())
    assert len(found) == 6, "40 draws of 6 decisions miss one by a chance of 1 in 250"
    for row, reward in enumerate(batch.team_rewards.tolist()):
        episode, t = decisions[reward]
        expected = {
            "actions": episode.actions[t],
            "rewards": episode.rewards[t],
            "components": np.stack([episode.infos[name][t] for name in COMPONENTS], axis=-1),
        }
        for name, value in expected.items():
            np.testing.assert_array_equal(getattr(batch, name)[:, row], value)
        np.testing.assert_array_equal(batch.states[row], episode.states[t])
        np.testing.assert_array_equal(batch.next_states[row], episode.states[t + 1])
        seen = batch.now.moments[:, row, -1, : episode.observations.shape[-1]]
        np.testing.assert_array_equal(seen, episode.observations[t])
        then = batch.then.moments[:, row, -1, : episode.observations.shape[-1]]
        np.testing.assert_array_equal(then, episode.observations[t + 1])
        assert batch.terminal[row] == float(t + 1 == episode.length)


def infos(steps: int) -> dict[str, Any]:
    return {name: rng(steps).random((steps, 3), dtype=np.float32) for name in COMPONENTS}


def test_decisions_are_drawn_uniformly_whatever_the_length_of_their_episode():
    store = buffer()
    store.extend([an_episode(0, 1), an_episode(1, 4)])
    drawn = Counter(store.sample(5000, rng()).team_rewards.tolist())
    assert len(drawn) == 5
    assert min(drawn.values()) > 900
    assert max(drawn.values()) < 1100


def test_a_draw_is_a_function_of_the_generator():
    store = buffer()
    store.extend(an_episode(k) for k in range(4))
    one, same, other = (store.sample(8, rng(seed)).team_rewards for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_oldest_episodes_go_first_and_none_is_torn():
    store = buffer(capacity=6)
    store.extend(an_episode(k, 2) for k in range(3))
    assert len(store) == 6
    store.extend([an_episode(3, 3)])
    assert [episode.number for episode in store.episodes] == [2, 3]
    assert len(store) == 5


def test_an_episode_longer_than_the_capacity_is_kept_while_it_is_the_latest():
    store = buffer(capacity=2)
    store.extend([an_episode(0, 1), an_episode(1, 5)])
    assert [episode.number for episode in store.episodes] == [1]
    assert len(store) == 5
    store.extend([an_episode(2, 1)])
    assert [episode.number for episode in store.episodes] == [2]


def test_a_cleared_buffer_is_empty():
    store = buffer()
    store.extend([an_episode(0)])
    store.clear()
    assert len(store) == 0
    store.extend([an_episode(1, 2)])
    assert len(store) == 2


def test_a_failed_episode_is_refused():
    with pytest.raises(ValueError, match="episode 5 failed"):
        buffer().extend([an_episode(5, failed=True)])


def test_a_time_limit_is_not_the_end():
    store = buffer()
    store.extend([an_episode(0, 2, terminated=False)])
    assert store.sample(20, rng()).terminal.tolist() == [0.0] * 20


def test_there_are_components_where_all_episodes_have_them():
    store = buffer()
    store.extend([an_episode(0, 1, infos=infos(1)), an_episode(1, 1)])
    assert store.sample(20, rng()).components is None


def test_a_later_round_of_the_same_decision_comes_with_the_action_executed_in_it():
    episode = an_episode(0, 4)
    # Rounds of decisions: the first two steps are one decision, the last two another.
    episode.observations[:, :, 4] = np.array([0.0, 0.5, 0.0, 0.5, 1.0])[:, np.newaxis]
    store = EpisodeBuffer(capacity=10, memory_length=1, round_columns=slice(4, 5))
    store.extend([episode])
    rows = _all_decisions(store)
    assert rows.same_decision.tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(rows.next_actions[:, 0], episode.actions[1])
    np.testing.assert_array_equal(rows.next_actions[:, 2], episode.actions[3])
    assert not rows.next_actions[:, 3].any()


def test_without_a_named_round_every_step_is_a_decision_of_its_own():
    store = buffer()
    store.extend([an_episode(0, 4)])
    assert not _all_decisions(store).same_decision.any()


def test_the_components_of_the_team_are_its_commitment_and_the_means_of_its_executors():
    own = infos(2)
    own["correct"] = np.array([[1.0] * 3, [0.0] * 3], np.float32)
    store = buffer()
    store.extend([an_episode(0, 2, infos=own)])
    rows = _all_decisions(store)
    assert rows.team_components is not None
    np.testing.assert_array_equal(rows.team_components[:, 0], [1.0, 0.0])
    for column, name in ((1, "al"), (2, "cc")):
        np.testing.assert_allclose(rows.team_components[:, column], own[name].mean(axis=1))
    store.extend([an_episode(1, 2, infos=infos(2))])
    assert _all_decisions(store).team_components is None


class Watched(TeamPolicy):
    """Writes down every window that it acted on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.saw: list[tuple[FloatArray, Flags]] = []

    def act(self, observations: FloatArray, periods: Any = None) -> FloatArray:
        moments, known = self.memory.windows(observations)
        self.saw.append((moments[0].copy(), known[0].copy()))
        return super().act(observations, periods)


@pytest.mark.parametrize("scope", ["episode", "stream"])
@pytest.mark.parametrize("length", [0, 1, 3])
def test_windows_are_those_that_the_policy_saw(scope: str, length: int):
    teams = toy_teams(1)
    plain = a_policy(teams.space, streams=1)
    policy = Watched(
        plain.networks,
        teams.space,
        refine=plain.refine,
        bne=plain.bne,
        memory=MemorySettings(length=length, scope="stream" if scope == "stream" else "episode"),
        streams=1,
    )
    store = buffer(memory_length=length)
    for number in range(6):
        store.extend(play_episodes(teams, policy, [number], first=number))
    steps = [(episode, t) for episode in store.episodes for t in range(episode.length)]
    assert len(steps) == len(policy.saw) == 12
    rows = _all_decisions(store)
    for row, (moments, known) in enumerate(policy.saw):
        np.testing.assert_array_equal(rows.now.known[row], known)
        seen = rows.now.moments[:, row].numpy().swapaxes(0, 1)
        np.testing.assert_array_equal(seen[known], moments[known])
    if length:
        episode_starts = [row for row, (_, t) in enumerate(steps) if t == 0]
        goes_on = [bool(policy.saw[row][1][:-1].any()) for row in episode_starts]
        assert goes_on == [scope == "stream" and row > 0 for row in episode_starts]


def test_the_moment_after_a_step_is_the_one_before_the_next_step():
    store = buffer()
    store.extend([an_episode(0, 4)])
    rows = _all_decisions(store)
    assert torch.equal(rows.then.moments[:, :-1], rows.now.moments[:, 1:])
    assert torch.equal(rows.then.known[:-1], rows.now.known[1:])


def _all_decisions(store: EpisodeBuffer) -> Batch:
    """Every decision once, in order."""

    class InOrder:
        def integers(self, high: int, size: int) -> Any:
            return np.arange(high)

    in_order: Any = InOrder()
    return store.sample(len(store), in_order)
