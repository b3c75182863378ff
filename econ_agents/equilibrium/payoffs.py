"""Payoffs of a fixed policy on given episodes, with or without one agent that deviates.

The environment starts each episode from its seed, so that two plays of the same seeds differ only
by the actions (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from econ_agents.algorithm.episode import Episode, FloatArray
from econ_agents.algorithm.rollout import Act, Override, play_wave
from econ_agents.environments import FAILED, TEAM_REWARD, Moment, Teams
from econ_agents.equilibrium.deviations import Deviation

Profile: TypeAlias = FloatArray
"""Fixed actions, one per agent, shape (n_agents, action_size), in [-1, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Payoffs:
    """Payoffs of the agents in some episodes, in the order of their seeds."""

    rewards: npt.NDArray[np.float64]
    """Sum of the (discounted) rewards of every agent, shape (episodes, n_agents)."""
    team: npt.NDArray[np.float64]
    """Sum of the (discounted) team rewards, shape (episodes,)."""
    failed: npt.NDArray[np.bool_]
    """True for episodes that came to no result; their rewards do not count. Shape (episodes,)."""

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


EpisodePlay: TypeAlias = Callable[[Override | None, Sequence[int]], Sequence[Episode]]
"""Function that plays a policy on the episodes of these seeds and records them. An override
replaces the actions; None plays them unchanged."""

DeviationPlay: TypeAlias = Callable[[Deviation | None, Sequence[int]], Payoffs]
"""Function that plays a policy on the episodes of these seeds, with a deviation or none (None)."""

ProfilePlay: TypeAlias = Callable[[Profile, Sequence[int]], Payoffs]
"""Function that plays one profile in every step of the episodes of these seeds."""


def play_recorded(
    record: EpisodePlay, *, discount: float = 1.0, played: Callable[[], object] = lambda: None
) -> DeviationPlay:
    """Make a :data:`DeviationPlay` from a function that records episodes.

    Args:
        record: plays and records episodes; it must keep nothing from one call to the next.
        discount: discount per step; 1.0 gives the plain sum.
        played: called after the episodes of each call were played.
    """

    def play(deviation: Deviation | None, seeds: Sequence[int]) -> Payoffs:
        episodes = record(_override(deviation), seeds)
        played()
        return payoffs_of(episodes, discount=discount)

    return play


def payoffs_of(episodes: Sequence[Episode], *, discount: float = 1.0) -> Payoffs:
    """Payoffs of recorded episodes (at least one), in their order."""
    weights = [discount ** np.arange(episode.length) for episode in episodes]
    pairs = list(zip(weights, episodes, strict=True))
    return Payoffs(
        rewards=np.array([weight @ episode.rewards for weight, episode in pairs]),
        team=np.array([weight @ episode.team_rewards for weight, episode in pairs]),
        failed=np.array([episode.failed for episode in episodes]),
    )


def play_teams(
    teams: Teams, act: Act, *, discount: float = 1.0, options: Mapping[str, Any] | None = None
) -> DeviationPlay:
    """Make a :data:`DeviationPlay` of a policy, in waves of ``teams.num_places`` episodes.

    Args:
        teams: the environment; no episode is running in it.
        act: the policy. A deviation replaces its actions only after it has returned them, so that
            any memory it keeps holds its own actions.
        discount: discount per step; 1.0 gives the plain sum.
        options: options of every reset, for example live reward weights.
    """

    def play(deviation: Deviation | None, seeds: Sequence[int]) -> Payoffs:
        starts = range(0, len(seeds), teams.num_places)
        waves = (seeds[start : start + teams.num_places] for start in starts)
        return _join(_play_wave(teams, act, deviation, wave, discount, options) for wave in waves)

    return play


def play_profiles(
    teams: Teams, *, discount: float = 1.0, options: Mapping[str, Any] | None = None
) -> ProfilePlay:
    """Make a :data:`ProfilePlay` in an environment; arguments as in :func:`play_teams`."""

    def play(profile: Profile, seeds: Sequence[int]) -> Payoffs:
        actions = np.broadcast_to(profile, (teams.num_places, *profile.shape))

        def act(moment: Moment, step: int) -> FloatArray:
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
    """Play one episode per seed, in the first places, from start to end."""
    rewards = np.zeros((len(seeds), len(teams.space.agents)))
    team = np.zeros(len(seeds))
    failed = np.zeros(len(seeds), dtype=np.bool_)
    weight = 1.0
    for step in play_wave(teams, act, seeds, override=_override(deviation), options=options):
        places = step.places
        rewards[places] += weight * step.after.rewards[places]
        team[places] += weight * _team_rewards(step.after)[places]
        failed[places] |= _failures(step.after)[places]
        weight *= discount
    return Payoffs(rewards=rewards, team=team, failed=failed)


def _override(deviation: Deviation | None) -> Override | None:
    """Make an override that applies the deviation in every step of every episode."""
    if deviation is None:
        return None
    return lambda actions, episode, step: deviation.apply(actions)


def _team_rewards(moment: Moment) -> npt.NDArray[np.float64]:
    """Team reward of the step if the environment reports it, else the agents' mean, shape (B,)."""
    if TEAM_REWARD in moment.infos:
        return moment.infos[TEAM_REWARD][:, 0]
    return np.asarray(moment.rewards.mean(axis=1))


def _failures(moment: Moment) -> npt.NDArray[np.bool_]:
    """Mask of the episodes that failed in this step, shape (B,).

    An environment that has the info ``failed`` truncates only on failure. For any other
    environment, truncation is a time limit, and the episode counts.
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
