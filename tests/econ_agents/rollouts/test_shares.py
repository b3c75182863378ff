"""Shares of a lap give the bits of playing it whole, whoever plays them and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from econ_agents.algorithm.builders import (
    build_exploration,
    build_networks,
    build_policy,
    build_teams,
)
from econ_agents.algorithm.rollout import play_episodes, with_equal_infos
from econ_agents.config.schema import Config
from econ_agents.rollouts.errors import UsersError
from econ_agents.rollouts.shares import Played, cut_lap
from econ_agents.rollouts.worker import Job, Worker, packed
from tests.econ_agents.builders import same_episodes
from tests.econ_agents.small_runs import small_config

SEEDS = [[100 + k for k in range(10)], [200 + k for k in range(10)]]


def opened(config: Config, places: int) -> Worker:
    worker = Worker(Job(config=config, phase="train", bne=True, places=places, variables={}))
    assert worker.open() is None
    return worker


@pytest.mark.parametrize("scope", ["episode", "stream"])
def test_shares_of_two_laps_are_the_laps_to_the_last_bit(scope: str) -> None:
    config = small_config(f"memory.scope={scope}", "bne.max_iterations_train=3")
    teams = build_teams(config, "train")
    networks = build_networks(config, teams.space).eval()
    whole, cut = (build_policy(config, networks, teams.space, "train") for _ in range(2))
    explore = build_exploration(config).explore
    workers = [opened(config, places=4) for _ in range(2)]
    for lap, seeds in enumerate(SEEDS):
        first = 10 * lap
        expected = play_episodes(teams, whole, seeds, first=first, override=explore)
        shares = cut_lap(
            cut.memory,
            seeds,
            4,
            first=first,
            explore=True,
            options=None,
            questions=None,
            traces=False,
        )
        assert [len(share.seeds) for share in shares] == [4, 4, 2]
        # Backwards, the first one twice, as after a loss, and in each lap by the other worker.
        order = [2, 1, 0, 0]
        played = {}
        for turn, number in enumerate(order):
            found = workers[(turn + lap) % 2].play(packed(networks), shares[number])
            assert isinstance(found, Played)
            played[number] = found
        episodes = [one for number in range(3) for one in played[number].unpacked()]
        assert same_episodes(with_equal_infos(episodes), expected)
        cut.memory.moments[:] = np.concatenate([played[n].moments for n in range(3)])
        cut.memory.filled[:] = np.concatenate([played[n].filled for n in range(3)])
        assert np.array_equal(cut.memory.moments, whole.memory.moments)
        assert np.array_equal(cut.memory.filled, whole.memory.filled)


def test_records_come_back_when_they_are_asked_for() -> None:
    config = small_config()
    worker = opened(config, places=2)
    teams = build_teams(config, "train")
    networks = build_networks(config, teams.space).eval()
    memory = build_policy(config, networks, teams.space, "train").memory
    for traces in (False, True):
        (share,) = cut_lap(
            memory,
            [1, 2],
            2,
            first=0,
            explore=False,
            options=None,
            questions=[5, 7],
            traces=traces,
        )
        played = worker.play(packed(networks), share)
        assert isinstance(played, Played)
        assert [trace is not None for trace in played.traces] == [traces, traces]


def test_what_the_user_has_to_mend_is_told_without_a_traceback() -> None:
    config = small_config("executor_model=no_such_model")
    worker = Worker(Job(config=config, phase="train", bne=True, places=2, variables={}))
    told = worker.open()
    assert isinstance(told, UsersError)
    assert told.exit_code == 2
    assert "no_such_model" in told.message
