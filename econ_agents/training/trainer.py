"""One interval of the training loop: play, learn, report. It uses no clock and no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from econ_agents.algorithm.builders import (
    build_exploration,
    build_learner,
    build_policy,
    commitment_columns,
)
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_metrics import describe_episodes
from econ_agents.algorithm.failure_causes import FailureCauses
from econ_agents.algorithm.memory import Flags, FloatArray
from econ_agents.algorithm.replay_buffer import EpisodeBuffer
from econ_agents.algorithm.rollout import play_episodes
from econ_agents.config.files import config_mapping
from econ_agents.config.schema import Config
from econ_agents.environments import Teams
from econ_agents.seeds import derive_seed, numpy_generator
from econ_agents.training import checkpoint_state as training_state
from econ_agents.training.checkpoint import Checkpoint
from econ_agents.training.checkpoint_episodes import from_arrays, to_arrays
from econ_agents.training.early_stopping import Measurement


@dataclass(frozen=True, kw_only=True)
class TrainingInterval:
    """Results of one interval."""

    metrics: dict[str, float]
    """Metrics by name with namespace, without timers."""
    measurement: Measurement | None
    """Measurement for early stopping; None without an update or without a finished episode."""


class Trainer:
    """The trainer: plays ``update_interval`` episodes and learns from them, again and again.

    :meth:`collect` and :meth:`learn` make one interval. Every random draw depends on the run's seed
    and a number (of the episode, of the update), so that a restored trainer continues as if it had
    never stopped.

    Args:
        config: the configuration.
        teams: the environment of the phase "train".
    """

    def __init__(self, config: Config, teams: Teams) -> None:
        train = config.train
        self.config = config
        self.teams = teams
        self.learner = build_learner(config, teams.space)
        self.policy = build_policy(config, self.learner.networks, teams.space, "train")
        self.exploration = build_exploration(config)
        self.buffer = EpisodeBuffer(
            capacity=train.replay_size if train.use_replay else train.on_policy_size,
            memory_length=config.memory.length,
        )
        self.episodes = 0
        """Number of episodes played."""
        self.failed = 0
        """Number of played episodes that came to no result and were dropped."""
        self.causes = FailureCauses()
        """Causes of the failures since this process began."""
        self._commitment = commitment_columns(teams.space)
        self._last_commitments: FloatArray | None = None
        self._remembered: tuple[FloatArray, Flags] = self._memories()

    def collect(self) -> list[Episode]:
        """Play the episodes of the next interval; the last interval may be shorter.

        The episodes count only once :meth:`learn` gets them: if this call raises or is repeated,
        it begins from the same memories.
        """
        count = min(self.config.update_interval, self.config.train.episodes - self.episodes)
        memory = self.policy.memory
        moments, filled = self._remembered
        memory.moments, memory.filled = moments.copy(), filled.copy()
        return play_episodes(
            self.teams,
            self.policy,
            [self._seed(self.episodes + k) for k in range(count)],
            first=self.episodes,
            override=self.exploration.explore,
            options=self.options(),
            watch=self._watch,
        )

    def learn(self, played: list[Episode]) -> TrainingInterval:
        """Learn from the episodes that :meth:`collect` returned.

        Raises:
            NonFiniteLoss: a loss is NaN or infinite.
        """
        train = self.config.train
        finished = [episode for episode in played if not episode.failed]
        self.buffer.extend(finished)
        self.episodes += len(played)
        self.failed += len(played) - len(finished)
        self._remembered = self._memories()
        losses: list[dict[str, float]] = []
        self.learner.set_pace(self._pace())
        if self.episodes >= train.warmup_episodes and len(self.buffer) >= train.batch_size:
            for _ in range(train.updates_per_interval):
                rng = numpy_generator(self.config.seed, "batch", self.learner.updates)
                batch = self.buffer.sample(train.batch_size, rng).to(self.config.device)
                losses.append(self.learner.update(batch))
        metrics = self._metrics(finished, losses)
        if not losses or not finished:
            return TrainingInterval(metrics=metrics, measurement=None)
        return TrainingInterval(
            metrics=metrics,
            measurement=Measurement(
                reward_mean=metrics["collection/reward_mean"],
                loss=metrics["train/loss_total"],
                commitment_change=self._commitment_change(finished),
            ),
        )

    def options(self) -> dict[str, Any] | None:
        """Options of every reset: the live weights of the reward if they are learned, else None."""
        if not self.config.reward.dynamic:
            return None
        return {"reward_weights": self.learner.weighting.as_options()}

    def arrays(self) -> dict[str, dict[str, Any]]:
        """All tensors and arrays of a checkpoint, by group."""
        learner = self.learner
        moments, filled = self._remembered
        memory = {"moments": moments, "filled": filled}
        if self._last_commitments is not None:
            memory["last_commitments"] = self._last_commitments
        return {
            "networks": learner.networks.state_dict(),
            "targets": learner.targets.state_dict(),
            "weighting": learner.weighting.state_dict(),
            "optimiser": training_state.optimizer_state(learner.optimiser)[0],
            "buffer": to_arrays(list(self.buffer.episodes)),
            "memory": memory,
        }

    def state(self) -> dict[str, Any]:
        """State of a checkpoint besides its arrays, as plain JSON data."""
        return {
            "config": config_mapping(self.config),
            "episodes": self.episodes,
            "failed": self.failed,
            "updates": self.learner.updates,
            "optimiser": training_state.optimizer_state(self.learner.optimiser)[1],
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore a checkpoint made of :meth:`arrays` and :meth:`state`.

        Raises:
            CheckpointError: it was saved with other networks.
        """
        learner, arrays, state = self.learner, checkpoint.arrays, checkpoint.state
        for name, module in (
            ("networks", learner.networks),
            ("targets", learner.targets),
            ("weighting", learner.weighting),
        ):
            training_state.check_shapes(
                arrays[name],
                module.state_dict(),
                saved_config=state["config"],
                config=config_mapping(self.config),
            )
            module.load_state_dict(arrays[name])
        training_state.restore_optimizer(learner.optimiser, arrays["optimiser"], state["optimiser"])
        learner.updates = state["updates"]
        self.episodes, self.failed = state["episodes"], state["failed"]
        self.buffer.clear()
        self.buffer.extend(from_arrays(_as_numpy(arrays["buffer"])))
        memory = _as_numpy(arrays["memory"])
        self._remembered = memory["moments"], memory["filled"].astype(np.bool_)
        self._last_commitments = memory.get("last_commitments")

    def _watch(self, place: int, episode: Episode) -> None:
        if episode.failed:
            self.causes.note(self.teams.trace(place))

    def _memories(self) -> tuple[FloatArray, Flags]:
        """Copies of the executors' memories and of the mask of filled moments."""
        memory = self.policy.memory
        return memory.moments.copy(), memory.filled.copy()

    def _pace(self) -> float:
        """Share of the learning rates; it falls linearly from the warm-up to the last episode."""
        train = self.config.train
        length = max(1, train.episodes - train.warmup_episodes)
        progress = min(1.0, max(0.0, (self.episodes - train.warmup_episodes) / length))
        return 1.0 - progress * (1.0 - train.learning_rate_end)

    def _seed(self, episode: int) -> int:
        return derive_seed(self.config.seed, "episode", episode)

    def _metrics(self, finished: list[Episode], losses: list[dict[str, float]]) -> dict[str, float]:
        described = describe_episodes(finished, self.teams.space)
        metrics = {f"collection/{name}": value for name, value in described.items()}
        std = self.exploration.std(self.episodes - 1)
        if np.isfinite(std):
            metrics["collection/exploration_std"] = std
        for name in losses[0] if losses else ():
            mean = float(np.mean([loss[name] for loss in losses]))
            metrics[f"train/{'' if name == 'gradient_norm' else 'loss_'}{name}"] = mean
        for name, value in self.learner.weighting.as_options().items():
            metrics[f"train/alpha_{name}"] = value
        metrics["counters/episodes"] = self.episodes
        metrics["counters/failed"] = self.failed
        metrics["counters/updates"] = self.learner.updates
        return metrics

    def _commitment_change(self, finished: list[Episode]) -> float | None:
        """Change ||C' - C|| of the mean commitment since the last interval.

        Return None if the environment does not name its commitment.
        """
        if self._commitment is None:
            return None
        last = [episode.observations[-1, 0, self._commitment] for episode in finished]
        mean = np.stack(last).mean(axis=0)
        before, self._last_commitments = self._last_commitments, mean
        # There is nothing to compare with yet: use the largest distance of two embeddings.
        return 2.0 if before is None else float(np.linalg.norm(mean - before))


def _as_numpy(tensors: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
