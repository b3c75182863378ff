"""Rollout: one loop over the steps of a wave, and the episodes recorded from it.

A *wave* is one episode in each of the first places of :class:`~econ_agents.environments.Teams`,
played side by side from start to end. :func:`play_wave` is the only loop in which a policy acts in
an environment; its caller decides what to keep of the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.memory import FloatArray
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.environments import FAILED, TEAM_REWARD, Asked, Moment, Teams


class Act(Protocol):
    """A policy as a function, deterministic given its observations since step 0 of the wave."""

    def __call__(self, moment: Moment, step: int) -> FloatArray:
        """Choose the actions of all places, ``(places, n_agents, action_size)`` in [-1, 1].

        Args:
            moment: the present of all places. Rows of places without an episode may hold anything,
                and their actions are not read.
            step: number of the step in its wave. At 0 new episodes begin in all places, and the
                policy must forget earlier ones.
        """
        ...


Override: TypeAlias = Callable[[FloatArray, int, int], FloatArray]
"""Callback that replaces actions: exploration, a deviation, or another policy altogether. It takes
the policy's actions (n_agents, action_size), the number of the episode and the step, and returns
the actions to play."""
Watch: TypeAlias = Callable[[int, Episode], None]
"""Callback with the place and the record of an ended episode, before the place starts another."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WaveStep:
    """One step of a wave."""

    places: Sequence[int]
    """Places whose episodes take this step, in ascending order."""
    before: Moment
    actions: FloatArray
    """Actions played, shape (places, n_agents, action_size); other places' rows hold anything."""
    after: Moment


def play_wave(
    teams: Teams,
    act: Act,
    seeds: Sequence[int],
    *,
    first: int = 0,
    override: Override | None = None,
    options: Mapping[str, Any] | None = None,
    questions: Sequence[Asked] | None = None,
) -> Iterator[WaveStep]:
    """Play one episode per seed, side by side in the first places; yield every step when done.

    Args:
        teams: the environment; no episode is running in it.
        act: the policy.
        seeds: seeds of the episodes, at most ``teams.num_places``.
        first: number of the first episode, for ``override``.
        override: replaces the policy's actions; None plays them unchanged.
        options: options of the reset.
        questions: question of every seed, by its number or as a text; None leaves the choice to the
            seeds.

    Raises:
        ValueError: episodes are running in other places.
    """
    asked = None if questions is None else dict(enumerate(questions))
    moment = teams.reset(dict(enumerate(seeds)), options, asked)
    if moment.active[len(seeds) :].any():
        raise ValueError(
            "other episodes are still running in this environment: make a second one with "
            "make_teams for measuring"
        )
    step = 0
    while moment.active.any():
        places = np.flatnonzero(moment.active).tolist()
        actions = act(moment, step)
        if override is not None:
            actions = actions.copy()
            for place in places:
                actions[place] = override(actions[place], first + place, step)
        after = teams.step(actions)
        yield WaveStep(places=places, before=moment, actions=actions, after=after)
        moment, step = after, step + 1


def play_episodes(
    teams: Teams,
    policy: TeamPolicy,
    seeds: Sequence[int],
    *,
    first: int = 0,
    override: Override | None = None,
    options: Mapping[str, Any] | None = None,
    questions: Sequence[Asked] | None = None,
    watch: Watch | None = None,
) -> list[Episode]:
    """Play one episode per seed, in waves of at most ``teams.num_places``.

    Episode ``first + k`` continues stream k modulo the number of streams. Its course does not
    depend on the number of places.

    Args:
        teams: the environment.
        policy: the team's policy; its streams continue from their present state.
        seeds: seeds of the episodes, for the environment.
        first: number of the first episode.
        override: replaces the policy's actions; None plays them unchanged.
        options: options of every reset.
        questions: question of every seed, by its number or as a text; None leaves the choice to the
            seeds.
        watch: called with every episode when its wave has ended.

    Returns:
        The episodes in order. All have the same infos: an info that only some of them report is
        zero in the others.
    """
    episodes: list[Episode] = []
    while len(episodes) < len(seeds):
        done = len(episodes)
        stream = done % policy.streams
        size = min(teams.num_places, policy.streams - stream, len(seeds) - done)
        wave = play_streams(
            teams,
            policy,
            range(stream, stream + size),
            seeds[done : done + size],
            first=first + done,
            override=override,
            options=options,
            questions=None if questions is None else questions[done : done + size],
        )
        if watch is not None:
            for place, episode in enumerate(wave):
                watch(place, episode)
        episodes += wave
    return with_equal_infos(episodes)


def play_streams(
    teams: Teams,
    policy: TeamPolicy,
    streams: range,
    seeds: Sequence[int],
    *,
    first: int,
    override: Override | None,
    options: Mapping[str, Any] | None,
    questions: Sequence[Asked] | None,
) -> list[Episode]:
    """Play the next episode of each of these streams, in one wave; see :func:`play_episodes`.

    Their infos are those of this wave: :func:`with_equal_infos` makes them those of all waves.
    """
    memories = [policy.begin(stream) for stream in streams]
    rows = slice(streams.start, streams.stop)

    def act(moment: Moment, step: int) -> FloatArray:
        seen = moment.observations
        observations = np.zeros((policy.streams, *seen.shape[1:]), dtype=np.float32)
        observations[rows] = seen[: len(streams)]
        said = moment.commitment_periods
        periods = None if said is None else np.zeros(policy.streams)
        if said is not None and periods is not None:
            periods[rows] = said[: len(streams)]
        chosen = policy.act(observations, periods)[rows]
        actions = np.zeros((teams.num_places, *chosen.shape[1:]), dtype=np.float32)
        actions[: len(streams)] = chosen
        return actions

    steps: list[WaveStep] = []
    wave = play_wave(
        teams, act, seeds, first=first, override=override, options=options, questions=questions
    )
    for step in wave:
        for place in step.places:
            policy.played(streams[place], step.before.observations[place], step.actions[place])
        steps.append(step)
    episodes = []
    for place, (stream, seed, memory) in enumerate(zip(streams, seeds, memories, strict=True)):
        episode = _episode(
            [step for step in steps if place in step.places],
            place,
            number=first + place,
            stream=stream,
            seed=seed,
            memory=memory,
        )
        if episode.failed:
            policy.forget(stream, memory)
        else:
            policy.ended(stream, episode.observations[-1])
        episodes.append(episode)
    return episodes


def _episode(
    steps: Sequence[WaveStep],
    place: int,
    *,
    number: int,
    stream: int,
    seed: int,
    memory: FloatArray,
) -> Episode:
    """Record the episode of one place from its steps."""
    moments = [steps[0].before, *(step.after for step in steps)]
    rewards = _stack([step.after.rewards[place] for step in steps])
    # An environment may report an info in some steps only: it is zero in the others.
    nothing = np.zeros(rewards.shape[1])
    keys = dict.fromkeys(key for step in steps for key in step.after.infos)
    infos = {
        key: _stack(
            [step.after.infos[key][place] if key in step.after.infos else nothing for step in steps]
        )
        for key in keys
    }
    team = infos[TEAM_REWARD][:, 0] if TEAM_REWARD in infos else rewards.mean(axis=1)
    last = steps[-1].after
    # An environment that has the info "failed" truncates only on failure. For any other
    # environment, truncation is a time limit, as in Gymnasium.
    failed = FAILED in infos and bool(last.truncated[place] or infos[FAILED].any())
    return Episode(
        number=number,
        stream=stream,
        seed=seed,
        observations=np.stack([moment.observations[place] for moment in moments]),
        states=np.stack([moment.state[place] for moment in moments]),
        actions=np.stack([step.actions[place] for step in steps]),
        rewards=rewards,
        team_rewards=team,
        infos=infos,
        terminated=bool(last.terminated[place]),
        failed=failed,
        memory=memory,
    )


def with_equal_infos(episodes: list[Episode]) -> list[Episode]:
    """Give every episode the infos of all, so that they do not depend on the number of places."""
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
