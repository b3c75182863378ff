"""Shares of a lap: what one worker plays at a time, and what it returns, as plain data.

A *lap* is one episode of every stream. It is cut into shares of consecutive streams. A share says
all that its episodes depend on, so that any worker plays it to the same bits, also a second time
after the first worker was lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safetensors.numpy import load, save

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_arrays import from_arrays, to_arrays
from econ_agents.algorithm.memory import Flags, FloatArray, Memory
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.algorithm.rollout import Override, play_streams
from econ_agents.environments import Teams
from econ_agents.rollouts.base import Trace


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Share:
    """One episode each of some consecutive streams."""

    first_stream: int
    seeds: tuple[int, ...]
    """Seed of every episode."""
    first: int
    """Number of the first episode."""
    moments: FloatArray
    """Memories of these streams; see :class:`~econ_agents.algorithm.memory.Memory`."""
    filled: Flags
    explore: bool
    options: Mapping[str, Any] | None
    questions: tuple[int, ...] | None
    traces: bool
    """True to return the records of all episodes, False for those of failed ones."""

    @property
    def streams(self) -> range:
        """The streams."""
        return range(self.first_stream, self.first_stream + len(self.seeds))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Played:
    """A share that was played."""

    episodes: bytes
    """The episodes as safetensors; see :meth:`unpacked`."""
    traces: tuple[Trace, ...]
    """The environment's record of every episode; None if there is none or it was not asked for."""
    moments: FloatArray
    """Memories of the streams now."""
    filled: Flags

    def unpacked(self) -> list[Episode]:
        """Return the episodes."""
        return from_arrays(load(self.episodes))


def cut_lap(
    memory: Memory,
    seeds: Sequence[int],
    places: int,
    *,
    first: int,
    explore: bool,
    options: Mapping[str, Any] | None,
    questions: Sequence[int] | None,
    traces: bool,
) -> list[Share]:
    """Cut a lap, which begins at stream 0, into shares of at most ``places`` streams."""
    shares = []
    for start in range(0, len(seeds), places):
        rows = slice(start, min(start + places, len(seeds)))
        shares.append(
            Share(
                first_stream=start,
                seeds=tuple(seeds[rows]),
                first=first + start,
                moments=memory.moments[rows].copy(),
                filled=memory.filled[rows].copy(),
                explore=explore,
                options=options,
                questions=None if questions is None else tuple(questions[rows]),
                traces=traces,
            )
        )
    return shares


def play_share(teams: Teams, policy: TeamPolicy, share: Share, override: Override) -> Played:
    """Play a share in the first places of an environment.

    Args:
        teams: the environment; no episode is running in it.
        policy: the policy, with as many streams as the whole lap has.
        share: the share.
        override: exploration; used if the share asks for it.
    """
    streams = share.streams
    rows = slice(streams.start, streams.stop)
    policy.memory.moments[rows] = share.moments
    policy.memory.filled[rows] = share.filled
    episodes = play_streams(
        teams,
        policy,
        streams,
        share.seeds,
        first=share.first,
        override=override if share.explore else None,
        options=share.options,
        questions=share.questions,
    )
    return Played(
        episodes=save(to_arrays(episodes)),
        traces=tuple(
            teams.trace(place) if share.traces or episode.failed else None
            for place, episode in enumerate(episodes)
        ),
        moments=policy.memory.moments[rows].copy(),
        filled=policy.memory.filled[rows].copy(),
    )
