"""Exact expected rewards of a simulated team: no sampling, no model calls.

Given their actions, executors answer independently, and every question has OUTCOMES = 2 + m
possible responses. So the expected reward of a profile is a finite sum over joint outcomes o::

    E[r | kind] = sum_o  prod_i P_i(o_i | T_i, p_i, kind) * R(o | kind)

R(o | kind) averages over the coordinator's check and over the questions of the kind. It does not
depend on the actions and is computed once. AL and CC are affine in cosines of embeddings, so their
average over questions needs only the average cosines.

The sum covers one round of a flat team (``bne_rounds=1``, ``max_rounds=1``, the training default)
with ``commitment_rule="coordinator"``: no executor has seen a commitment yet.

A *profile* is an array of actions in the units of the models, ``[..., 0]`` the temperature and
``[..., 1]`` the repetition penalty: of shape (n, 2), the same for all kinds of questions
(*type-blind*), or (NUM_KINDS, n, 2), for a policy that reads the kind off the observation
(*type-aware*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from econ_env.embeddings import Embedder, load_embedder
from econ_env.llm.simulated.coordinator import chance_of, tally
from econ_env.llm.simulated.skill import Array, outcome_probabilities, skill_of
from econ_env.questions.base import QuestionSource
from econ_env.questions.simulated import (
    CORRECT,
    KINDS,
    OUTCOMES,
    SimulatedQuestions,
    SimulatedTask,
    read_task,
)
from econ_env.rewards import FIDELITY_WEIGHT, RewardWeights, score_decisions
from econ_env.sampling_action import SamplingBounds

NUM_KINDS = len(KINDS)
MAX_AGENTS = 5
"""Largest number of executors. The sums have OUTCOMES^n terms: 16,807 for five executors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedRewards:
    """Expected values for one profile, averaged over the questions."""

    team: float
    """The team reward."""
    agents: tuple[float, ...]
    """Reward r_i of every executor."""
    accuracy: float
    """P(the commitment is correct)."""
    agent_accuracy: tuple[float, ...]
    """P(executor i's own answer is correct)."""


class SimulatedGame:
    """One round of a simulated team as a game in normal form with continuous actions.

    Args:
        profiles: skill profile number of every executor, one to MAX_AGENTS of them; ``(0, 1, 2)``
            is ``llm="simulated"`` with three executors.
        weights: weights of the reward's components.
        fidelity_weight: share w of fidelity in CC.
        embedder: name or object, as in the environment.
        questions: questions of the simulated kinds; None: ``SimulatedQuestions()``, the default
            pool of ``dataset="simulated"``.
        bounds: the box of actions.

    Raises:
        ValueError: too many executors, or questions that are not of the simulated kinds.
    """

    def __init__(
        self,
        profiles: Sequence[int] = (0, 1, 2),
        *,
        weights: RewardWeights | None = None,
        fidelity_weight: float = FIDELITY_WEIGHT,
        embedder: str | Embedder = "hashing",
        questions: QuestionSource | None = None,
        bounds: SamplingBounds | None = None,
    ) -> None:
        if not 1 <= len(profiles) <= MAX_AGENTS:
            raise ValueError(
                f"the exact game takes 1 to {MAX_AGENTS} executors, got {len(profiles)}: its sums "
                f"have {OUTCOMES}^n terms"
            )
        self.n_agents = len(profiles)
        self.skills = tuple(skill_of(profile) for profile in profiles)
        self.bounds = SamplingBounds() if bounds is None else bounds
        groups = _tasks_by_kind(SimulatedQuestions() if questions is None else questions)
        shares = np.array([len(tasks) for tasks in groups], dtype=np.float64)
        self.kind_share: Array = shares / shares.sum()
        """Share of every kind among the questions, shape (NUM_KINDS,)."""
        self._payoffs = _payoffs(
            groups,
            self.n_agents,
            RewardWeights() if weights is None else weights,
            fidelity_weight,
            load_embedder(embedder) if isinstance(embedder, str) else embedder,
        )

    @property
    def team_row(self) -> int:
        """Index ``row`` of the team reward; row i < n is r_i."""
        return self.n_agents

    def probabilities(self, profile: npt.ArrayLike) -> Array:
        """Return P(outcome) of every executor for every kind: shape (NUM_KINDS, n, OUTCOMES)."""
        actions = self.type_aware(profile)
        return np.array(
            [
                [
                    outcome_probabilities(skill, kind, temperature, penalty)
                    for skill, (temperature, penalty) in zip(self.skills, row, strict=True)
                ]
                for kind, row in enumerate(actions)
            ]
        )

    def expected_rewards(self, profile: npt.ArrayLike) -> ExpectedRewards:
        """Return the exact expected values for a profile.

        Raises:
            ValueError: the profile has another shape than (n, 2) or (NUM_KINDS, n, 2).
        """
        return self.expected_rewards_of(self.probabilities(profile))

    def expected_rewards_of(self, probabilities: Array) -> ExpectedRewards:
        """Return the exact expected values for outcome probabilities, for example of mixed actions.

        Args:
            probabilities: shape (NUM_KINDS, n, OUTCOMES).
        """
        letters = "abcde"[: self.n_agents]
        operands = [probabilities[:, i] for i in range(self.n_agents)]
        subscripts = f"kr{letters},{','.join('k' + x for x in letters)}->kr"
        by_kind = np.einsum(subscripts, self._payoffs, *operands, optimize=True)
        *agents, team, accuracy = (self.kind_share @ by_kind).tolist()
        return ExpectedRewards(
            team=team,
            agents=tuple(agents),
            accuracy=accuracy,
            agent_accuracy=tuple((self.kind_share @ probabilities[..., CORRECT]).tolist()),
        )

    def outcome_values(self, agent: int, row: int, probabilities: Array) -> Array:
        """Return the expected reward ``row`` per outcome of ``agent``: shape (NUM_KINDS, OUTCOMES).

        The others answer with ``probabilities`` (those of ``agent`` are not read). So the reward of
        any action of ``agent`` is the average of these values over its own outcomes.
        """
        values = self._payoffs[:, row]
        # From the last executor to the first, so that the axes before it keep their places.
        for other in reversed(range(self.n_agents)):
            if other != agent:
                others_axis = np.moveaxis(values, 1 + other, -1)
                values = np.einsum("k...o,ko->k...", others_axis, probabilities[:, other])
        return values

    def average(self, agent: int, actions: Array, values: Array) -> float:
        """Return the expected reward of executor ``agent``'s actions, shape (NUM_KINDS, 2).

        ``values`` come from :meth:`outcome_values`; the result is averaged over the questions.
        """
        probabilities = [
            outcome_probabilities(self.skills[agent], kind, temperature, penalty)
            for kind, (temperature, penalty) in enumerate(actions)
        ]
        return float(self.kind_share @ (np.array(probabilities) * values).sum(axis=1))

    def type_aware(self, profile: npt.ArrayLike) -> Array:
        """Return the profile with one action per kind: shape (NUM_KINDS, n, 2), a new array."""
        actions = np.asarray(profile, dtype=np.float64)
        full = (NUM_KINDS, self.n_agents, 2)
        if actions.shape not in (full, full[1:]):
            raise ValueError(
                f"a profile must have shape {full[1:]} or {full}: temperature and repetition "
                f"penalty of every executor (of every kind); got {actions.shape}"
            )
        return np.array(np.broadcast_to(actions, full))


def _tasks_by_kind(questions: QuestionSource) -> list[list[SimulatedTask]]:
    groups: list[list[SimulatedTask]] = [[] for _ in KINDS]
    for index in range(len(questions)):
        task = read_task(questions[index].text)
        if task is None:
            raise ValueError(
                f"{questions[index].id} is not of the simulated kinds: "
                "solve takes the questions of dataset='simulated'"
            )
        groups[task.kind].append(task)
    if not all(groups):
        raise ValueError(f"{questions.name}: solve needs at least one question of every kind")
    return groups


def _payoffs(
    groups: list[list[SimulatedTask]],
    n_agents: int,
    weights: RewardWeights,
    fidelity_weight: float,
    embedder: Embedder,
) -> Array:
    """Return R(o | kind): shape (NUM_KINDS, n + 2, OUTCOMES, ..., OUTCOMES).

    Rows: r_i of every executor, the team reward, [the commitment is correct].
    """
    joint = list(product(range(OUTCOMES), repeat=n_agents))
    # Every possible commitment for every joint outcome, with its probability.
    cases = [
        (number, int(value), chance)
        for number, outcomes in enumerate(joint)
        for value, chance in chance_of(tally(map(str, outcomes)), str(CORRECT)).items()
    ]
    number, committed, chance = (np.array(column) for column in zip(*cases, strict=True))
    outcomes = np.array(joint)[number]
    everybody = np.ones(outcomes.shape, dtype=np.bool_)
    payoffs = np.zeros((len(groups), len(joint), n_agents + 2))
    for tasks, payoff in zip(groups, payoffs, strict=True):
        texts = _typical_texts(tasks, embedder)
        rewards = score_decisions(
            responses=texts[outcomes],
            # A commitment is embedded as worked steps and value: it reads like the response.
            commitments=texts[committed],
            answered=everybody,
            committed=everybody[:, 0],
            correct=outcomes == CORRECT,
            commitment_correct=committed == CORRECT,
            weights=weights,
            fidelity_weight=fidelity_weight,
        )
        rows = np.column_stack((rewards.agents, rewards.team, rewards.team_ts))
        np.add.at(payoff, number, chance[:, None] * rows)
    by_outcome = np.moveaxis(payoffs, 2, 1)
    return by_outcome.reshape(len(groups), n_agents + 2, *[OUTCOMES] * n_agents)


def _typical_texts(tasks: list[SimulatedTask], embedder: Embedder) -> Array:
    """Return unit vectors with the average cosines of the solutions: (OUTCOMES, OUTCOMES).

    An average of Gram matrices is a Gram matrix, so such vectors exist, one per outcome. They let
    the environment's own reward function work on averages.
    """
    solutions = [text for task in tasks for text in task.solutions]
    vectors = np.asarray(embedder.embed(solutions), dtype=np.float64)
    vectors = vectors.reshape(len(tasks), OUTCOMES, -1)
    gram = np.einsum("qid,qjd->ij", vectors, vectors) / len(tasks)
    eigenvalues, eigenvectors = np.linalg.eigh(gram)
    # Rounding makes an eigenvalue slightly negative if solutions have equal embeddings.
    factor: Array = eigenvectors * np.sqrt(np.maximum(eigenvalues, 0))
    return factor
