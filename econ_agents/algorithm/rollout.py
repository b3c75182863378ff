"""Playing episodes: from seeds to :class:`~econ_agents.algorithm.episode.Episode` records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.memory import FloatArray
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.environments import FAILED, TEAM_REWARD, Moment, Teams

Watch: TypeAlias = Callable[[int, Episode], None]
"""Told of every episode that has ended, and in which place, before another starts there."""
Explore: TypeAlias = Callable[[FloatArray, int, int], FloatArray]
"""From the policy's actions (n_agents, action_size), the episode and the step to what is played."""


def play_episodes(
    teams: Teams,
    policy: TeamPolicy,
    seeds: Sequence[int],
    *,
    first: int = 0,
    explore: Explore | None = None,
    options: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
) -> list[Episode]:
    """Play one episode of every stream, in waves of ``teams.num_places``; all of one policy.

    Episode ``first + k`` is that of stream k. What it is does not depend on the number of places.

    Args:
        teams: the environment.
        policy: with at least ``len(seeds)`` streams.
        seeds: of the episodes, for the environment.
        first: number of the first episode.
        explore: changes what the policy chose; None plays it as it is.
        options: for every reset.
        watch: told of every episode when its wave has ended.

    Returns:
        The episodes in order, all with the same infos: zeros where one did not report something
        that another one did.
    """
    episodes: list[Episode] = []
    for start in range(0, len(seeds), teams.num_places):
        streams = range(start, min(start + teams.num_places, len(seeds)))
        wave = _play_wave(teams, policy, seeds, streams, first, explore, options)
        if watch is not None:
            for place, episode in enumerate(wave):
                watch(place, episode)
        episodes += wave
    return _with_equal_infos(episodes)


def _play_wave(
    teams: Teams,
    policy: TeamPolicy,
    seeds: Sequence[int],
    streams: range,
    first: int,
    explore: Explore | None,
    options: Mapping[str, Any] | None,
) -> list[Episode]:
    """One episode in each of the first ``len(streams)`` places."""
    memories = [policy.begin(stream) for stream in streams]
    moment = teams.reset(dict(enumerate(seeds[stream] for stream in streams)), options)
    records = [_Record(moment, place) for place in range(len(streams))]
    step = 0
    while moment.active.any():
        seen = _by_stream(moment.observations, policy.streams, streams)
        actions = policy.act(seen)[streams.start : streams.stop]
        playing = [int(place) for place in np.flatnonzero(moment.active)]
        for place in playing:
            stream = streams[place]
            if explore is not None:
                actions[place] = explore(actions[place], first + stream, step)
            policy.played(stream, moment.observations[place], actions[place])
        moment = teams.step(_padded(actions, teams.num_places))
        for place in playing:
            records[place].add(actions[place], moment, place)
        step += 1
    episodes = []
    for place, (record, memory) in enumerate(zip(records, memories, strict=True)):
        stream = streams[place]
        episode = record.finish(
            number=first + stream, stream=stream, seed=seeds[stream], memory=memory
        )
        if episode.failed:
            policy.forget(stream, memory)
        else:
            policy.ended(stream, episode.observations[-1])
        episodes.append(episode)
    return episodes


class _Record:
    """An episode while it is played."""

    def __init__(self, moment: Moment, place: int) -> None:
        self._observations = [moment.observations[place]]
        self._states = [moment.state[place]]
        self._actions: list[FloatArray] = []
        self._rewards: list[Any] = []
        self._infos: list[dict[str, Any]] = []
        self._terminated = self._truncated = False

    def add(self, actions: FloatArray, moment: Moment, place: int) -> None:
        self._observations.append(moment.observations[place])
        self._states.append(moment.state[place])
        self._actions.append(actions)
        self._rewards.append(moment.rewards[place])
        self._infos.append({key: values[place] for key, values in moment.infos.items()})
        self._terminated = bool(moment.terminated[place])
        self._truncated = bool(moment.truncated[place])

    def finish(self, *, number: int, stream: int, seed: int, memory: FloatArray) -> Episode:
        rewards = _stack(self._rewards)
        # Environments may report something in some steps only.
        nothing = np.zeros(rewards.shape[1])
        keys = dict.fromkeys(key for info in self._infos for key in info)
        infos = {key: _stack([info.get(key, nothing) for info in self._infos]) for key in keys}
        team = infos[TEAM_REWARD][:, 0] if TEAM_REWARD in infos else rewards.mean(axis=1)
        # An environment that reports failures truncates for no other reason; for any other one,
        # truncation is the time limit that Gymnasium means by it.
        failed = FAILED in infos and (self._truncated or bool(infos[FAILED].any()))
        return Episode(
            number=number,
            stream=stream,
            seed=seed,
            observations=np.stack(self._observations),
            states=np.stack(self._states),
            actions=np.stack(self._actions),
            rewards=rewards,
            team_rewards=team,
            infos=infos,
            terminated=self._terminated,
            failed=failed,
            memory=memory,
        )


def _with_equal_infos(episodes: list[Episode]) -> list[Episode]:
    """The episodes, each with the infos of all: which it has must not depend on the places."""
    keys = dict.fromkeys(key for episode in episodes for key in episode.infos)
    return [
        replace(
            episode,
            infos={key: episode.infos.get(key, np.zeros_like(episode.rewards)) for key in keys},
        )
        for episode in episodes
    ]


def _stack(rows: list[Any]) -> FloatArray:
    return np.stack(rows).astype(np.float32)


def _by_stream(observations: FloatArray, count: int, streams: range) -> FloatArray:
    """Observations at the rows of their streams, zeros elsewhere."""
    rows = np.zeros((count, *observations.shape[1:]), dtype=np.float32)
    rows[streams.start : streams.stop] = observations[: len(streams)]
    return rows


def _padded(actions: FloatArray, places: int) -> FloatArray:
    rows = np.zeros((places, *actions.shape[1:]), dtype=np.float32)
    rows[: len(actions)] = actions
    return rows
