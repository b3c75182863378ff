"""Exploration: uniform actions during the warm-up, then the policy's with shrinking noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from econ_agents.config.learning import TrainSettings
from econ_agents.seeds import derive_seed


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """Exploration schedule over episodes, in units of the action box [-1, 1].

    Every draw depends only on the run's seed, the episode and the step, so that neither the number
    of questions in flight nor an interruption changes it.
    """

    train: TrainSettings
    """Length of the warm-up, and the start, end and linear decay of the Gaussian noise."""
    seed: int
    """Seed of the run."""

    def std(self, episode: int) -> float:
        """Standard deviation of the noise in an episode; infinite during the uniform warm-up."""
        train = self.train
        if episode < train.warmup:
            return float("inf")
        start, end = train.exploration_std_start, train.exploration_std_end
        progress = (episode - train.warmup) / train.exploration_decay_episodes
        return start + min(1.0, progress) * (end - start)

    def explore(self, actions: NDArray[np.float32], episode: int, step: int) -> NDArray[np.float32]:
        """Return the actions to play in place of the policy's, shape (n_agents, action_size)."""
        rng = np.random.default_rng(derive_seed(self.seed, "exploration", episode, step))
        std = self.std(episode)
        if std == float("inf"):
            return rng.uniform(-1, 1, actions.shape).astype(np.float32)
        noisy = actions + std * rng.standard_normal(actions.shape)
        return noisy.clip(-1, 1).astype(np.float32)
