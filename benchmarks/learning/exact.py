"""Exact values of a policy on the simulator: team reward, accuracy and NashConv.

A value is a mean over unseen questions of an exact expectation: over the simulated models'
randomness, given the question's kind and the policy's actions for it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from econ_agents.algorithm.builders import build_policy, build_teams
from econ_agents.config.schema import Config
from econ_agents.environments import Teams
from econ_agents.networks import TeamNetworks
from econ_env.llm.simulated.model import SimulatedGame, nash_conv, optimum
from econ_env.llm.simulated.skill import outcome_probabilities
from econ_env.questions.simulated import KINDS, SimulatedQuestions, Split
from econ_env.rewards import RewardWeights
from econ_env.sampling_action import SamplingBounds

Array = NDArray[np.float64]
QUESTIONS_PER_KIND = 24
"""Number of unseen questions of every kind; policies that read the kind act alike on them."""


@dataclass(frozen=True, kw_only=True)
class Worth:
    """Values of a policy, as means over the questions."""

    team_reward: float
    accuracy: float
    """Probability that the commitment is correct."""
    nash_conv: float
    """Sum over executors of the gain by a best response, which may differ for every question."""

    def to_json(self) -> dict[str, float]:
        """Return the three numbers by name."""
        return asdict(self)


class Yardstick:
    """The exact game of a configuration, and unseen questions on which policies are measured.

    Args:
        config: configuration of ``simulated`` with one round per decision and fixed reward weights.
        questions_per_kind: number of questions of every kind, from the test split.
        starts: number of starting points of the searches for optima.

    Raises:
        ValueError: the configuration is of another game.
    """

    def __init__(
        self, config: Config, questions_per_kind: int = QUESTIONS_PER_KIND, *, starts: int = 16
    ) -> None:
        if (config.env_args.hf_dataset_path, config.executor_model) != ("simulated",) * 2:
            raise ValueError("exact values are known for simulated models and questions only")
        if config.reward.dynamic or config.env.kwargs:
            raise ValueError(
                "exact values are known for fixed weights of the reward and the environment's own "
                "defaults only: leave reward.dynamic and env.kwargs as they are"
            )
        self.count = questions_per_kind * len(KINDS)
        self.n_agents = config.n_agents or 3
        self._config = config
        self._starts = starts
        self._weights = RewardWeights(**(config.reward.initial_weights.given() or {}))
        self._bounds = SamplingBounds()
        self.game = self._game("test")

    @cached_property
    def landmarks(self) -> dict[str, float]:
        """Team rewards of the references: optima, uniform random actions and the midpoint."""
        starts = self._starts
        middle = np.zeros((self.count, self.n_agents, 2))
        return {
            "optimum_type_aware": optimum(self.game, type_aware=True, starts=starts).rewards.team,
            "optimum_type_blind": optimum(self.game, starts=starts).rewards.team,
            "best_fixed_on_training_questions": optimum(
                self._game("train"), starts=starts
            ).rewards.team,
            "uniform_random": self._uniform(),
            "midpoint": self.game.expected_rewards(self._in_units(middle)[0]).team,
        }

    @cached_property
    def observations(self) -> NDArray[np.float32]:
        """First observations on the questions, ``(count, n_agents, observation_size)``."""
        config = self._wide
        teams: Teams = build_teams(config, "test", bne=False)
        try:
            places = range(self.count)
            moment = teams.reset({place: place for place in places}, {"question": list(places)})
            for place in places:
                trace = teams.trace(place)
                if trace is None or trace["question"]["kind"] != KINDS[place % len(KINDS)].name:
                    raise ValueError("the kinds of simulated questions no longer take turns")
        finally:
            teams.close()
        return moment.observations

    def act(self, networks: TeamNetworks, space: Any) -> NDArray[np.float32]:
        """Return the first actions of networks, ``(count, n_agents, action_size)`` in [-1, 1]."""
        return build_policy(self._wide, networks, space, "test").act(self.observations)

    def worth(self, actions: NDArray[np.floating[Any]]) -> Worth:
        """Return the values of actions in [-1, 1], ``(count, n_agents, 2)``, a row per question."""
        # The kinds of questions take turns. So each group of one question per kind is a type-aware
        # profile, and the mean over groups is the mean over questions.
        shape = (-1, len(KINDS), self.n_agents, 2)
        profiles = list(self._in_units(actions).reshape(shape))
        rewards = [self.game.expected_rewards(profile) for profile in profiles]
        return Worth(
            team_reward=float(np.mean([reward.team for reward in rewards])),
            accuracy=float(np.mean([reward.accuracy for reward in rewards])),
            nash_conv=float(np.mean([nash_conv(self.game, profile) for profile in profiles])),
        )

    def _uniform(self) -> float:
        """Return the team reward of uniformly random actions, as means over a fine grid."""
        axis = (np.arange(200) + 0.5) / 100 - 1
        points = self._in_units(np.stack(np.meshgrid(axis, axis), axis=-1))
        probabilities = [
            [
                outcome_probabilities(skill, kind, *np.moveaxis(points, -1, 0)).mean(axis=(0, 1))
                for skill in self.game.skills
            ]
            for kind in range(len(KINDS))
        ]
        return self.game.expected_rewards_of(np.array(probabilities)).team

    def _in_units(self, actions: NDArray[np.floating[Any]]) -> Array:
        bounds = self._bounds
        low = np.array([bounds.temperature_min, bounds.repetition_penalty_min])
        high = np.array([bounds.temperature_max, bounds.repetition_penalty_max])
        share: Array = (np.clip(actions.astype(np.float64), -1, 1) + 1) / 2
        points: Array = low + share * (high - low)
        return points

    @property
    def _wide(self) -> Config:
        """Configuration with a place and a stream for every question."""
        config = self._config
        train = replace(config.train, in_flight=self.count)
        return replace(config, train=train, test=replace(config.test, streams=self.count))

    def _game(self, split: Split) -> SimulatedGame:
        return SimulatedGame(
            range(self.n_agents),
            weights=self._weights,
            bounds=self._bounds,
            questions=SimulatedQuestions(split),
        )
