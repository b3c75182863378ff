"""Cumulative regret: what training cost against the best fixed profile, known in hindsight.

::

    Regret(K) = sum_{k < K} [ u(best fixed profile) - u_k ]

with u the team reward. A fixed profile gives every agent one action for all questions, in every
step. If learning reaches it the curve flattens, and it falls where a policy that reads the question
does better than any fixed profile.
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
"""Parts of training whose mean regret is told apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedProfile:
    """The best profile found, and what it is worth."""

    actions: tuple[tuple[float, ...], ...]
    """Of every agent, in [-1, 1]."""
    team: Interval
    """Mean team reward on questions that the search has not seen: nothing of it is luck."""
    in_sample: float
    """Mean team reward on the questions of the search: too high in expectation."""
    failed: int
    """Questions without a result, of those it was measured on."""
    method: str

    def to_json(self) -> dict[str, Any]:
        """Everything, as what ``json.dump`` takes."""
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
    """Search the fixed profile with the highest mean team reward.

    First all agents share one action: the best of ``search``. Then every agent in turn searches
    the move that is best for the team while the others keep theirs.

    Args:
        play: of profiles; see :func:`econ_agents.equilibrium.payoffs.play_profiles`.
        n_agents: the number of agents.
        search: constants to try, and how to refine them.
        search_seeds: questions on which profiles are compared: validation questions.
        fresh_seeds: other questions, on which the best one is measured.
        sweeps: how often every agent has its turn, at most: it is over when nobody moves. 0: all
            agents keep the shared action.
        seed: of the bootstrap.

    Raises:
        ValueError: a candidate is no constant, a seed is on both sides, or hardly an episode came
            to a result.
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
            # Its own move first: of equals the search takes the first, so the agent stays.
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
    """The team reward per episode it is measured against."""
    curve: tuple[float, ...]
    """Cumulative regret after every episode."""
    total: Interval
    """After the last one. The interval is that of ``best_fixed``, times the episodes."""
    parts: tuple[float, ...]
    """Mean regret per episode in each quarter of training: falling means learning."""

    def to_json(self) -> dict[str, Any]:
        """Everything, as what ``json.dump`` takes."""
        return asdict(self)


def cumulative_regret(team_rewards: Sequence[float], best_fixed: Interval) -> Regret:
    """Regret of the training episodes, in their order; failed episodes are left out beforehand.

    Raises:
        ValueError: there is no episode, or a reward that is not finite.
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
    """The worth of a move of one agent, while the others keep theirs."""
    others = tuple(moves)
    return lambda move: worth((*others[:agent], move, *others[agent + 1 :]))
