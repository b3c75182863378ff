"""Solving the simulated game: best responses, optima, equilibria, all on exact expectations.

All expectations are exact; the rest is search (:mod:`econ_env.llm.simulated.search`). A best
response is found to about 1e-4 in T and p. An optimum is the best result of a local search from
several starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from econ_env.embeddings import Embedder
from econ_env.llm.simulated.payoffs import NUM_KINDS, ExpectedRewards, SimulatedGame
from econ_env.llm.simulated.search import (
    SWEEPS,
    TOLERANCE,
    best_action,
    box_of,
    climb,
    climb_at_one_temperature,
    kind_groups,
    start_profiles,
)
from econ_env.llm.simulated.skill import Array, outcome_probabilities
from econ_env.questions.base import QuestionSource
from econ_env.rewards import FIDELITY_WEIGHT, RewardWeights
from econ_env.sampling_action import SamplingBounds


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BestResponse:
    """Best response of one executor while the others keep their actions."""

    action: Array
    """(T, p): shape (2,), or (NUM_KINDS, 2) for a type-aware response."""
    reward: float
    """Its expected reward r_i."""
    gain: float
    """Gain over the expected reward in the given profile; >= 0."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SolvedProfile:
    """A profile with its expected rewards."""

    profile: Array
    """Shape (n, 2), or (NUM_KINDS, n, 2) if type-aware."""
    rewards: ExpectedRewards
    nash_conv: float
    """Sum over executors of the gain of their best response; 0 in an equilibrium."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PolicyClassSolution:
    """Optima and equilibria among the profiles of one class, type-blind or type-aware."""

    optimum: SolvedProfile
    """Highest team reward."""
    same_temperature: SolvedProfile
    """Highest team reward with one temperature for all executors (per kind if type-aware)."""
    equilibria: tuple[SolvedProfile, ...]
    """End points of best-response dynamics, best team reward first. Empty: there is none."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SimulatedSolution:
    """Solution of a simulated game, for comparison with the rewards of a learner."""

    type_blind: PolicyClassSolution
    """Solution for profiles that do not depend on the question."""
    type_aware: PolicyClassSolution
    """Solution for policies that read the kind off the question's embedding."""
    midpoint: ExpectedRewards
    """Rewards if every executor plays the middle of the box, action 0, as if untrained."""
    uniform: ExpectedRewards
    """Rewards if every executor draws its action uniformly from the box."""


def solve(
    profiles: Sequence[int] = (0, 1, 2),
    *,
    weights: RewardWeights | None = None,
    fidelity_weight: float = FIDELITY_WEIGHT,
    embedder: str | Embedder = "hashing",
    questions: QuestionSource | None = None,
    bounds: SamplingBounds | None = None,
    starts: int = 16,
) -> SimulatedSolution:
    """Solve the game of one round; :mod:`econ_env.llm.simulated.payoffs` describes its scope.

    Args:
        profiles: skill profile of every executor.
        weights: weights of the reward's components.
        fidelity_weight: share w of fidelity in CC.
        embedder: name or object, as in the environment.
        questions: questions of the simulated kinds; None: ``SimulatedQuestions()``, the default
            pool of ``dataset="simulated"``.
        bounds: the box of actions.
        starts: number of profiles that the searches start from; the first is the midpoint.

    Raises:
        ValueError: see :class:`SimulatedGame`; or ``starts`` is below 1.
    """
    game = SimulatedGame(
        profiles,
        weights=weights,
        fidelity_weight=fidelity_weight,
        embedder=embedder,
        questions=questions,
        bounds=bounds,
    )
    return SimulatedSolution(
        type_blind=_solve_class(game, type_aware=False, starts=starts),
        type_aware=_solve_class(game, type_aware=True, starts=starts),
        midpoint=game.expected_rewards(start_profiles(game, 1)[0]),
        uniform=_uniform_rewards(game),
    )


def best_response(
    game: SimulatedGame, agent: int, profile: npt.ArrayLike, *, type_aware: bool = False
) -> BestResponse:
    """Return the best response of executor ``agent`` to ``profile``, and its gain.

    Args:
        game: the exact game.
        agent: 0 to n - 1.
        profile: shape (n, 2) or (NUM_KINDS, n, 2).
        type_aware: the response may depend on the kind. Always True for a type-aware profile, so
            that a response never gains less than the action it replaces.
    """
    actions = game.type_aware(profile)
    type_aware = type_aware or np.ndim(profile) == 3
    values = game.outcome_values(agent, agent, game.probabilities(actions))
    before = game.average(agent, actions[:, agent], values)
    for kinds in kind_groups(type_aware):
        actions[kinds, agent], _ = best_action(game, agent, values, kinds, box_of(game.bounds))
    after = game.average(agent, actions[:, agent], values)
    if after < before:  # the search ended just beside the profile's own action
        actions, after = game.type_aware(profile), before
    best = actions[:, agent]
    return BestResponse(action=best if type_aware else best[0], reward=after, gain=after - before)


def nash_conv(game: SimulatedGame, profile: npt.ArrayLike, *, type_aware: bool = False) -> float:
    """Return the sum of all executors' best-response gains; arguments as in best_response."""
    return sum(
        best_response(game, agent, profile, type_aware=type_aware).gain
        for agent in range(game.n_agents)
    )


def optimum(
    game: SimulatedGame,
    *,
    type_aware: bool = False,
    same_temperature: bool = False,
    starts: int = 16,
) -> SolvedProfile:
    """Return the profile with the highest team reward.

    Args:
        game: the exact game.
        type_aware: actions may depend on the kind.
        same_temperature: all executors share one temperature (per kind if ``type_aware``).
        starts: number of profiles that the search starts from.
    """
    best = game.type_aware(np.zeros((game.n_agents, 2)))
    for kinds in kind_groups(type_aware):
        search = climb_at_one_temperature if same_temperature else climb
        ends = [search(game, kinds, start) for start in start_profiles(game, starts)]
        profile, _ = max(ends, key=lambda end: end[1])
        best[kinds] = profile[kinds]
    return _solved(game, best, type_aware)


def equilibria(
    game: SimulatedGame, *, type_aware: bool = False, starts: int = 16
) -> tuple[SolvedProfile, ...]:
    """Return the Nash equilibria that best-response dynamics reaches, best team reward first.

    The executors respond in turn until none of them gains. Starts that end in a cycle add no
    result.
    """
    found: list[SolvedProfile] = []
    for start in start_profiles(game, starts):
        profile = game.type_aware(start) if type_aware else start
        if not _respond_until_rest(game, profile):
            continue
        solved = _solved(game, game.type_aware(profile), type_aware)
        if all(np.abs(solved.profile - other.profile).max() > 0.01 for other in found):
            found.append(solved)
    return tuple(sorted(found, key=lambda solved: -solved.rewards.team))


def _respond_until_rest(game: SimulatedGame, profile: Array) -> bool:
    """Let the executors respond in turn, in place; return True if they came to rest."""
    for _ in range(SWEEPS):
        gains = []
        for agent in range(game.n_agents):
            response = best_response(game, agent, profile)
            profile[..., agent, :] = response.action
            gains.append(response.gain)
        if max(gains) < TOLERANCE:
            return True
    return False


def _solve_class(game: SimulatedGame, *, type_aware: bool, starts: int) -> PolicyClassSolution:
    return PolicyClassSolution(
        optimum=optimum(game, type_aware=type_aware, starts=starts),
        # One start: the temperature, where the local optima are, is searched by a grid anyway.
        same_temperature=optimum(game, type_aware=type_aware, same_temperature=True, starts=1),
        equilibria=equilibria(game, type_aware=type_aware, starts=starts),
    )


def _solved(game: SimulatedGame, profile: Array, type_aware: bool) -> SolvedProfile:
    """Evaluate ``profile``, type-aware in shape; all kinds agree if ``type_aware`` is False."""
    own = profile if type_aware else profile[0]
    return SolvedProfile(
        profile=own,
        rewards=game.expected_rewards(own),
        nash_conv=nash_conv(game, own),
    )


def _uniform_rewards(game: SimulatedGame) -> ExpectedRewards:
    """Return the rewards of uniform actions; independent draws allow averages per executor."""
    axes = [low + (high - low) * (np.arange(200) + 0.5) / 200 for low, high in box_of(game.bounds)]
    grid = np.meshgrid(*axes)
    averages = [
        [outcome_probabilities(skill, kind, *grid).mean(axis=(0, 1)) for skill in game.skills]
        for kind in range(NUM_KINDS)
    ]
    return game.expected_rewards_of(np.array(averages))
