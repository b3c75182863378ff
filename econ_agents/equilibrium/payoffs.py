"""Playing a fixed policy on given episodes, with or without one agent that deviates.

What is compared are the same episodes: the environment starts each from its seed, so two plays of
the same seeds differ by the actions only (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from econ_agents.algorithm.episode import Episode, FloatArray
from econ_agents.environments import FAILED, TEAM_REWARD, Moment, Teams
from econ_agents.equilibrium.deviations import Deviation

Profile: TypeAlias = FloatArray
"""One fixed action per agent, shape (n_agents, action_size), in [-1, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Payoffs:
    """What the agents got in some episodes, in the order of their seeds."""

    rewards: npt.NDArray[np.float64]
    """Sum of the (discounted) rewards of every agent, shape (episodes, n_agents)."""
    team: npt.NDArray[np.float64]
    """The same for the team reward, shape (episodes,)."""
    failed: npt.NDArray[np.bool_]
    """Episodes that came to no result: their rewards count for nothing. Shape (episodes,)."""

    def __post_init__(self) -> None:
        episodes = len(self.failed)
        if self.rewards.shape[:-1] != (episodes,) or self.team.shape != (episodes,):
            raise ValueError(
                "payoffs need rewards (episodes, n_agents), team (episodes,) and failed "
                f"(episodes,), got {self.rewards.shape}, {self.team.shape}, {self.failed.shape}"
            )
        played = ~self.failed
        if not (np.isfinite(self.rewards[played]).all() and np.isfinite(self.team[played]).all()):
            raise ValueError(
                "an episode that did not fail has a NaN or infinite reward: the environment "
                "must give finite rewards or mark the episode as failed"
            )


Change: TypeAlias = Callable[[FloatArray, int, int], FloatArray]
"""From the policy's actions (n_agents, action_size), the episode's number and its step to what is
played: an :data:`econ_agents.algorithm.rollout.Explore`."""

Record: TypeAlias = Callable[[Change | None, Sequence[int]], Sequence[Episode]]
"""Plays a policy on the episodes of these seeds, changed or (None) as it is."""

Play: TypeAlias = Callable[[Deviation | None, Sequence[int]], Payoffs]
"""Plays the policy on the episodes of these seeds, with a deviation or (None) as it is."""

ProfilePlay: TypeAlias = Callable[[Profile, Sequence[int]], Payoffs]
"""Plays the same profile in every step of the episodes of these seeds."""


class Act(Protocol):
    """A policy as a function, deterministic given what it has seen since ``first``."""

    def __call__(self, observations: FloatArray, *, first: bool) -> FloatArray:
        """Actions (places, n_agents, action_size) in [-1, 1].

        Args:
            observations: shape (places, n_agents, observation_size); rows of places without an
                episode hold anything.
            first: these are the first observations of new episodes, in all places: what the
                policy remembers of earlier ones must be forgotten.
        """
        ...


def play_recorded(
    record: Record, *, discount: float = 1.0, played: Callable[[], object] = lambda: None
) -> Play:
    """A :data:`Play` made of recorded episodes, as :mod:`econ_agents.algorithm.rollout` makes them.

    Args:
        record: must remember nothing from one call to the next.
        discount: factor per step; 1.0 is the plain sum.
        played: called whenever the episodes of one play are there.
    """

    def play(deviation: Deviation | None, seeds: Sequence[int]) -> Payoffs:
        change = None if deviation is None else deviation.apply
        episodes = record(None if change is None else lambda actions, *_: change(actions), seeds)
        played()
        return payoffs_of(episodes, discount=discount)

    return play


def payoffs_of(episodes: Sequence[Episode], *, discount: float = 1.0) -> Payoffs:
    """The payoffs of at least one recorded episode, in their order."""
    weights = [discount ** np.arange(episode.length) for episode in episodes]
    pairs = list(zip(weights, episodes, strict=True))
    return Payoffs(
        rewards=np.array([weight @ episode.rewards for weight, episode in pairs]),
        team=np.array([weight @ episode.team_rewards for weight, episode in pairs]),
        failed=np.array([episode.failed for episode in episodes]),
    )


def play_teams(
    teams: Teams, act: Act, *, discount: float = 1.0, options: Mapping[str, Any] | None = None
) -> Play:
    """A :data:`Play` of a policy in an environment, in waves of ``teams.num_places`` episodes.

    Args:
        teams: nobody else may have an episode running in it.
        act: the policy. A deviation changes what is played, not what the policy returned: memory
            that the policy keeps of its own actions holds the latter.
        discount: factor per step; 1.0 is the plain sum.
        options: for every reset (live reward weights, for example).
    """

    def play(deviation: Deviation | None, seeds: Sequence[int]) -> Payoffs:
        starts = range(0, len(seeds), teams.num_places)
        waves = (seeds[start : start + teams.num_places] for start in starts)
        return _join(_play_wave(teams, act, deviation, wave, discount, options) for wave in waves)

    return play


def play_profiles(
    teams: Teams, *, discount: float = 1.0, options: Mapping[str, Any] | None = None
) -> ProfilePlay:
    """A :data:`ProfilePlay` in an environment; arguments as in :func:`play_teams`."""

    def play(profile: Profile, seeds: Sequence[int]) -> Payoffs:
        actions = np.broadcast_to(profile, (teams.num_places, *profile.shape))

        def act(observations: FloatArray, *, first: bool) -> FloatArray:
            return actions

        return play_teams(teams, act, discount=discount, options=options)(None, seeds)

    return play


def _play_wave(
    teams: Teams,
    act: Act,
    deviation: Deviation | None,
    seeds: Sequence[int],
    discount: float,
    options: Mapping[str, Any] | None,
) -> Payoffs:
    """Play one episode per seed, in the first places, all from their start to their end."""
    moment = teams.reset(dict(enumerate(seeds)), options)
    if moment.active[len(seeds) :].any():
        raise ValueError(
            "episodes of somebody else are running in this environment: make a second one with "
            "make_teams for measuring"
        )
    rewards = np.zeros(moment.rewards.shape)
    team = np.zeros(len(moment.active))
    failed = np.zeros(len(moment.active), dtype=np.bool_)
    running, weight, first = moment.active, 1.0, True
    while running.any():
        actions = act(moment.observations, first=first)
        moment = teams.step(actions if deviation is None else deviation.apply(actions))
        rewards[running] += weight * moment.rewards[running]
        team[running] += weight * _team_rewards(moment)[running]
        failed |= running & _failures(moment)
        running, weight, first = running & moment.active, weight * discount, False
    count = len(seeds)
    return Payoffs(rewards=rewards[:count], team=team[:count], failed=failed[:count])


def _team_rewards(moment: Moment) -> npt.NDArray[np.float64]:
    """The team reward of the step where the environment has one, else the agents' mean: (B,)."""
    if TEAM_REWARD in moment.infos:
        return moment.infos[TEAM_REWARD][:, 0]
    return np.asarray(moment.rewards.mean(axis=1))


def _failures(moment: Moment) -> npt.NDArray[np.bool_]:
    """Episodes that came to no result in this step: (B,).

    An environment that reports ``failed`` truncates for no other reason. For any other one,
    truncation is a time limit, and the episode counts as it is.
    """
    if FAILED not in moment.infos:
        return np.zeros(moment.truncated.shape, dtype=np.bool_)
    return moment.truncated | (moment.infos[FAILED] > 0).any(axis=1)


def _join(parts: Iterable[Payoffs]) -> Payoffs:
    waves = list(parts)
    return Payoffs(
        rewards=np.concatenate([wave.rewards for wave in waves]),
        team=np.concatenate([wave.team for wave in waves]),
        failed=np.concatenate([wave.failed for wave in waves]),
    )
