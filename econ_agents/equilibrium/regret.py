"""Cumulative regret: the cost of training against the best fixed profile in hindsight.

::

    Regret(K) = sum_{k < K} [ u(best fixed profile) - u_k ]

with u the team reward. A fixed profile gives every agent one action for all questions, in every
step. The curve flattens if learning reaches the profile's reward, and falls if a policy that reads
the question does better than any fixed profile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from econ_agents.equilibrium.deviations import Move, Search
from econ_agents.equilibrium.payoffs import Profile, ProfilePlay
from econ_agents.seeds import derive_seed
from econ_agents.statistics import Interval, mean_interval

PARTS = 4
"""Number of parts of training whose mean regret is reported separately."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedProfile:
    """The best fixed profile found, and its team reward."""

    actions: tuple[tuple[float, ...], ...]
    """Action of every agent, in [-1, 1]."""
    team: Interval
    """Mean team reward on questions that the search has not seen, which makes it unbiased."""
    in_sample: float
    """Mean team reward on the questions of the search, too high in expectation."""
    failed: int
    """Number of measured questions that came to no result."""
    method: str

    def to_json(self) -> dict[str, Any]:
        """Return all fields as plain data for ``json.dump``."""
        return asdict(self)


def best_fixed_profile(
    play: ProfilePlay,
    *,
    n_agents: int,
    search: Search,
    search_seeds: Sequence[int],
    fresh_seeds: Sequence[int],
    sweeps: int = 1,
    seed: int = 0,
) -> FixedProfile:
    """Search for the fixed profile with the highest mean team reward.

    First all agents share one action, the best that ``search`` finds. Then every agent in turn
    searches for the move that is best for the team while the others keep theirs.

    Args:
        play: plays profiles; see :func:`econ_agents.equilibrium.payoffs.play_profiles`.
        n_agents: number of agents.
        search: search over constants.
        search_seeds: seeds of the validation questions on which profiles are compared.
        fresh_seeds: seeds of other questions, on which the best profile is measured.
        sweeps: largest number of turns of every agent; the search ends early when no agent moves.
            At 0 all agents keep the shared action.
        seed: seed of the bootstrap.

    Raises:
        ValueError: a candidate is not a constant, a seed is on both sides, or almost no episode
            came to a result.
    """
    _check(search, search_seeds, fresh_seeds, sweeps)

    def worth(moves: Sequence[Move]) -> float:
        payoffs = play(_profile(moves), search_seeds)
        return float(payoffs.team[~payoffs.failed].mean()) if not payoffs.failed.all() else -np.inf

    shared, reached = search.best(lambda move: worth([move] * n_agents))
    moves = [shared] * n_agents
    for _ in range(sweeps):
        before = tuple(moves)
        for agent in range(n_agents):
            # Its own move comes first, so that the agent stays if no other move is better: the
            # search takes the first of equals.
            own = replace(search, candidates=(moves[agent], *search.candidates))
            moves[agent], reached = own.best(_swap(worth, moves, agent))
        if before == tuple(moves):
            break
    fresh = play(_profile(moves), fresh_seeds)
    return FixedProfile(
        actions=tuple(move.values for move in moves),
        team=mean_interval(fresh.team[~fresh.failed], seed=derive_seed(seed, "best fixed profile")),
        in_sample=reached,
        failed=int(fresh.failed.sum()),
        method=f"{search}; first shared, then {sweeps} sweeps over the agents at most",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Regret:
    """The regret of one training run."""

    best_fixed: Interval
    """Mean team reward per episode of the best fixed profile."""
    curve: tuple[float, ...]
    """Cumulative regret after every episode."""
    total: Interval
    """Cumulative regret after the last episode; its interval is that of ``best_fixed``, scaled."""
    parts: tuple[float, ...]
    """Mean regret per episode in each quarter of training; it falls if the team learns."""

    def to_json(self) -> dict[str, Any]:
        """Return all fields as plain data for ``json.dump``."""
        return asdict(self)


def cumulative_regret(team_rewards: Sequence[float], best_fixed: Interval) -> Regret:
    """Regret of the training episodes in their order, without the failed ones.

    Raises:
        ValueError: there is no episode, or a reward is not finite.
    """
    rewards = np.asarray(team_rewards, dtype=np.float64)
    if rewards.ndim != 1 or not len(rewards) or not np.isfinite(rewards).all():
        raise ValueError(
            "regret needs the team reward of at least one training episode, all finite, got shape "
            f"{rewards.shape}: leave failed episodes out"
        )
    regret = best_fixed.mean - rewards
    won, episodes = float(rewards.sum()), len(rewards)
    curve: npt.NDArray[np.float64] = np.cumsum(regret)
    return Regret(
        best_fixed=best_fixed,
        curve=tuple(curve.tolist()),
        total=Interval(
            mean=episodes * best_fixed.mean - won,
            low=episodes * best_fixed.low - won,
            high=episodes * best_fixed.high - won,
        ),
        parts=tuple(float(part.mean()) for part in np.array_split(regret, min(PARTS, episodes))),
    )


def _check(
    search: Search, search_seeds: Sequence[int], fresh_seeds: Sequence[int], sweeps: int
) -> None:
    if any(move.kind != "constant" for move in search.candidates):
        raise ValueError(
            "a fixed profile is made of constants, but the search has shifts: use grid_candidates"
        )
    both = set(search_seeds) & set(fresh_seeds)
    if both:
        raise ValueError(
            f"{len(both)} seeds are in search_seeds and in fresh_seeds: the best profile must be "
            "measured on questions that the search has not seen"
        )
    if sweeps < 0:
        raise ValueError(f"sweeps must be at least 0, got {sweeps}")


def _profile(moves: Sequence[Move]) -> Profile:
    return np.array([move.values for move in moves], dtype=np.float32)


def _swap(
    worth: Callable[[Sequence[Move]], float], moves: Sequence[Move], agent: int
) -> Callable[[Move], float]:
    """Make a function that gives the worth of one agent's move while the others keep theirs."""
    others = tuple(moves)
    return lambda move: worth((*others[:agent], move, *others[agent + 1 :]))
