"""One interval of the training loop: play, learn, report. It uses no clock and no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from econ_agents.algorithm.episode_arrays import from_arrays, to_arrays
from econ_agents.algorithm.episode_metrics import describe_episodes
from econ_agents.algorithm.memory import Flags, FloatArray
from econ_agents.algorithm.policy import ROUND_PART
from econ_agents.algorithm.question_order import question_order
from econ_agents.algorithm.replay_buffer import EpisodeBuffer
from econ_agents.algorithm.reward_weighting import COMPONENTS
from econ_agents.config.files import config_mapping
from econ_agents.config.schema import Config
from econ_agents.environments import Teams
from econ_agents.environments.failure_causes import FailureCauses
from econ_agents.rollouts.base import LocalRollouts, Rollouts, Trace
from econ_agents.seeds import derive_seed, numpy_generator
from econ_agents.training.checkpoint import Checkpoint
from econ_agents.training.checkpoint_state import (
    check_adam,
    check_array,
    optimizer_state,
    restore_module,
    restore_optimizer,
    restore_weighting,
    restoring,
)


@dataclass(frozen=True, kw_only=True)
class TrainingInterval:
    """Results of one interval."""

    metrics: dict[str, float]
    """Metrics by name with namespace, without timers."""


class Trainer:
    """The trainer: plays ``update_interval`` episodes and learns from them, again and again.

    :meth:`collect` and :meth:`learn` make one interval. Every random draw depends on the run's seed
    and a number (of the episode, of the update), so that a restored trainer continues as if it had
    never stopped.

    Args:
        config: the configuration.
        teams: the environment of the phase "train".
        rollouts: plays the episodes. None: in ``teams``.
    """

    def __init__(self, config: Config, teams: Teams, rollouts: Rollouts | None = None) -> None:
        train = config.train
        self.config = config
        self.teams = teams
        self.learner = build_learner(config, teams.space)
        self.policy = build_policy(config, self.learner.networks, teams.space, "train")
        self.exploration = build_exploration(config)
        self.rollouts = rollouts or LocalRollouts(teams=teams, exploration=self.exploration.explore)
        self.buffer = EpisodeBuffer(
            capacity=train.replay_size if train.use_replay else train.on_policy_size,
            memory_length=config.memory.length,
            round_columns=(teams.space.layout or {}).get(ROUND_PART),
        )
        self.episodes = 0
        """Number of episodes played."""
        self.failed = 0
        """Number of played episodes that came to no result and were dropped."""
        self.causes = FailureCauses()
        """Causes of these failures."""
        self._failing = FailureCauses()
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
        self._failing = FailureCauses()
        return self.rollouts.play(
            self.policy,
            [self._seed(self.episodes + k) for k in range(count)],
            first=self.episodes,
            explore=True,
            options=self.options(),
            observe=self._observe,
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
        self.causes.add(self._failing.counts())
        self._remembered = self._memories()
        losses: list[dict[str, float]] = []
        self.learner.set_pace(self._pace())
        if self.episodes >= train.warmup and len(self.buffer) >= train.enough_decisions:
            for _ in range(train.updates_per_interval):
                rng = numpy_generator(self.config.seed, "batch", self.learner.updates)
                batch = self.buffer.sample(train.batch_size, rng).to(self.config.device)
                losses.append(self.learner.update(batch))
        return TrainingInterval(metrics=self._metrics(finished, losses))

    def probe(self) -> FloatArray:
        """Play the probe questions without exploration; they leave no trace in the trainer.

        Returns:
            Embeddings of their last commitments, ``(early_stopping.probe_questions, size)``; a row
            of zeros for an episode that failed.

        Raises:
            ValueError: the environment does not name its commitment.
        """
        columns = self._commitment
        if columns is None:
            raise ValueError("the environment names no commitment that could be probed")
        count = self.config.early_stopping.probe_questions
        policy = build_policy(self.config, self.learner.networks, self.teams.space, "train")
        seeds = [derive_seed(self.config.seed, "probe", k) for k in range(count)]
        order = question_order(self.teams, count, seed=self.config.seed, purpose="probe")
        episodes = self.rollouts.play(
            policy, seeds, options=self.options(), questions=order.numbers
        )
        rows = [episode.observations[-1, 0, columns] for episode in episodes]
        rows = [0 * row if one.failed else row for row, one in zip(rows, episodes, strict=True)]
        return np.stack(rows)

    def commitment_change(self, probed: FloatArray) -> float | None:
        """Mean change ||C' - C|| on the probe questions since the last call, in [0, 2].

        None at the first call, or if no question came to a result both times.

        Args:
            probed: the commitments that :meth:`probe` returned.
        """
        before, self._last_commitments = self._last_commitments, probed
        if before is None:
            return None
        both = (before != 0).any(axis=1) & (probed != 0).any(axis=1)
        if not both.any():
            return None
        return float(np.linalg.norm(probed[both] - before[both], axis=1).mean())

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
            "optimiser": optimizer_state(learner.optimiser)[0],
            "buffer": to_arrays(list(self.buffer.episodes)),
            "memory": memory,
        }

    def state(self) -> dict[str, Any]:
        """State of a checkpoint besides its arrays, as plain JSON data."""
        return {
            "config": config_mapping(self.config),
            "episodes": self.episodes,
            "failed": self.failed,
            "failures": self.causes.counts(),
            "updates": self.learner.updates,
            "optimiser": optimizer_state(self.learner.optimiser)[1],
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore a checkpoint made of :meth:`arrays` and :meth:`state`.

        Raises:
            CheckpointError: it was saved with other networks, or is not as a trainer saves it.
        """
        learner, config = self.learner, config_mapping(self.config)
        modules = {"networks": learner.networks, "targets": learner.targets}
        for name, module in modules.items():
            with restoring(checkpoint, f"{name}.safetensors"):
                saved = checkpoint.group(name)
                restore_module(module, saved, saved_config=checkpoint.config, config=config)
        with restoring(checkpoint, "weighting.safetensors"):
            restore_weighting(learner.weighting, checkpoint.group("weighting"))
        with restoring(checkpoint, "optimiser.safetensors"):
            moments = checkpoint.group("optimiser")
            state = checkpoint.state["optimiser"]
            check_adam(moments, state)
            restore_optimizer(learner.optimiser, moments, state)
        learner.updates = checkpoint.count("updates")
        self.episodes, self.failed = checkpoint.count("episodes"), checkpoint.count("failed")
        self.causes = FailureCauses()
        self.causes.add(checkpoint.counts("failures"))
        with restoring(checkpoint, "buffer.safetensors"):
            episodes = from_arrays(_as_numpy(checkpoint.group("buffer")))
            self._check_played_here(episodes)
            self.buffer.clear()
            self.buffer.extend(episodes)
        with restoring(checkpoint, "memory.safetensors"):
            self._restore_memory(_as_numpy(checkpoint.group("memory")))

    def _check_played_here(self, episodes: list[Episode]) -> None:
        """Raise ``ValueError`` unless the episodes can be learned from together."""
        space, memory = self.teams.space, self.policy.memory
        agents = len(space.agents)
        for episode in episodes:
            check_array("actions", episode.actions, (None, agents, space.action_size))
            check_array("states", episode.states, (None, space.state_size))
            check_array("rewards", episode.rewards, (None, agents))
            check_array("team_rewards", episode.team_rewards, (None,))
            shape = (None, agents, space.observation_size)
            check_array("observations", episode.observations, shape)
            check_array("memory", episode.memory, (None, *memory.moments.shape[2:]))
            if len(episode.memory) > memory.moments.shape[1]:
                raise ValueError(f"episode {episode.number} remembers more than memory.length")
            for name, values in episode.infos.items():
                finite = name in COMPONENTS
                check_array(f"info.{name}", values, (None, agents), finite=finite)

    def _restore_memory(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Restore what executors remember; ``ValueError`` if it is not of this team."""
        moments, filled = self._memories()
        check_array("moments", arrays["moments"], moments.shape)
        if arrays["filled"].dtype != np.bool_ or arrays["filled"].shape != filled.shape:
            raise ValueError(f"filled must be flags of shape {filled.shape}")
        self._remembered = arrays["moments"], arrays["filled"]
        last = arrays.get("last_commitments")
        if last is not None:
            columns = self._commitment
            size = 0 if columns is None else columns.stop - columns.start
            probed = self.config.early_stopping.probe_questions
            check_array("last_commitments", last, (probed, size))
        self._last_commitments = last

    def _observe(self, episode: Episode, trace: Callable[[], Trace]) -> None:
        if episode.failed:
            self._failing.note(trace())

    def _memories(self) -> tuple[FloatArray, Flags]:
        """Copies of the executors' memories and of the mask of filled moments."""
        memory = self.policy.memory
        return memory.moments.copy(), memory.filled.copy()

    def _pace(self) -> float:
        """Share of the learning rates; it falls linearly from the warm-up to the last episode."""
        train = self.config.train
        length = max(1, train.episodes - train.warmup)
        progress = min(1.0, max(0.0, (self.episodes - train.warmup) / length))
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


def _as_numpy(tensors: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
