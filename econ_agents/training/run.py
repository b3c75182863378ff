"""A training run while it is open: intervals, evaluations, log, checkpoints and its end."""

from __future__ import annotations

import sys
import time
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import save_file

from econ_agents.algorithm.builders import build_policy, commitment_columns
from econ_agents.algorithm.episode_metrics import describe_episodes
from econ_agents.algorithm.learner import NonFiniteLoss
from econ_agents.algorithm.replay_buffer import Batch, Window
from econ_agents.algorithm.rollout import play_episodes
from econ_agents.config.files import CONFIG_FILE
from econ_agents.config.schema import Config
from econ_agents.equilibrium.policy_nash_conv import measure_nash_conv
from econ_agents.errors import EconAgentsError
from econ_agents.logging.metrics_log import MetricsLog
from econ_agents.logging.plots import plot_run
from econ_agents.logging.progress import Progress
from econ_agents.seeds import derive_seed
from econ_agents.statistics import TooFewResults
from econ_agents.training.checkpoint import (
    FINAL,
    Checkpoint,
    keep_last,
    periodic_name,
    save_checkpoint,
)
from econ_agents.training.early_stopping import Stopping
from econ_agents.training.interrupts import uninterrupted
from econ_agents.training.run_folder import model_dir
from econ_agents.training.trainer import Trainer

BEST = "best"
"""Name of the checkpoint with the highest team reward of all evaluations."""
BAD_BATCH = "bad_batch.safetensors"
"""File with the batch on which a loss was not finite."""


class TrainingStopped(EconAgentsError):
    """Training cannot continue; the message says why and what was kept."""

    exit_code = 1


class TrainingRun:
    """A training run while it is open.

    Args:
        config: the configuration.
        log_dir: folder of the run.
        trainer: the trainer, which plays and learns.
        stopping: early stopping rule; None if there is none.
        log: open log of the metrics.
        progress: progress display; None prints only notes that must not be missed.
    """

    def __init__(
        self,
        config: Config,
        log_dir: Path,
        trainer: Trainer,
        stopping: Stopping | None,
        log: MetricsLog,
        progress: Progress | None,
    ) -> None:
        self._config = config
        self._log_dir = log_dir
        self._trainer = trainer
        self._stopping = stopping
        self._log = log
        self._progress = progress
        self._best: float | None = None
        self._pending: dict[str, float] | None = None
        """Metrics of the last interval before its evaluation, not yet in the log."""
        self._evaluated = self._deviated = self._saved = 0
        """Episodes played by the last evaluation, the last measurement of NashConv, and the last
        periodic checkpoint."""

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue where the run was when it saved this checkpoint."""
        state = checkpoint.state
        self._best, self._pending = state["best"], state["pending"]
        self._evaluated, self._deviated = state["evaluated"], state["deviated"]
        self._saved = self._trainer.episodes

    def loop(self) -> int:
        """Train to the last episode, to an early stop or to Ctrl-C; return the exit code."""
        config, trainer = self._config, self._trainer
        started, before = time.monotonic(), trainer.episodes
        try:
            # An interruption may have left an interval without its evaluation.
            self._conclude()
            while not self._finished():
                self._interval()
                self._conclude()
        except KeyboardInterrupt:
            with uninterrupted():
                self.save(periodic_name(trainer.episodes))
                self._say(
                    f"interrupted: saved after {trainer.episodes} episodes; go on with "
                    f"econ-agents resume --log-dir {self._log_dir}"
                )
            return 130
        except NonFiniteLoss as error:
            raise TrainingStopped(self._keep_bad_batch(error)) from error
        with uninterrupted():
            self.save(FINAL)
            self._log.sync()
        if self._reason():
            self._say(f"stopped early after {trainer.episodes} episodes: {self._reason()}")
        plots = plot_run(self._log_dir) if config.logging.plots else []
        for line in trainer.causes.lines():
            self._say(f"failed: {line}")
        played = trainer.episodes - before
        self._say(
            f"trained {played} episodes in {time.monotonic() - started:.0f} s"
            + (f", {trainer.failed} of them failed and were dropped" if trainer.failed else "")
            + f"; checkpoint {model_dir(config, self._log_dir) / FINAL}"
            + (f"; plots {', '.join(path.name for path in plots)}" if plots else "")
        )
        return 0

    def note_what_is_off(self) -> None:
        """Note the parts of the method that this environment does not support."""
        space = self._trainer.teams.space
        if commitment_columns(space) is None and self._config.losses.commitment_similarity > 0:
            self._say(
                "the environment names no commitment (metadata['observation_layout']): the loss "
                "L_SD is off"
            )

    def save(self, name: str) -> None:
        """Save a checkpoint of everything, after the log's lines are on the disk."""
        self._log.sync()
        trainer, folder = self._trainer, model_dir(self._config, self._log_dir)
        stopping = None if self._stopping is None else self._stopping.state()
        own = {
            "stopping": stopping,
            "best": self._best,
            "pending": self._pending,
            "evaluated": self._evaluated,
            "deviated": self._deviated,
        }
        save_checkpoint(folder, name, trainer.arrays(), {**trainer.state(), **own})
        keep_last(folder, self._config.train.keep_checkpoints)

    def _finished(self) -> bool:
        """Return True if no interval is left to play."""
        everything = self._trainer.episodes >= self._config.train.episodes
        return everything or bool(self._reason())

    def _reason(self) -> str:
        """Reason for an early stop; empty while there is none."""
        return "" if self._stopping is None else self._stopping.reason

    def _interval(self) -> None:
        """Play and learn for one interval."""
        first = self._trainer.episodes == 0
        start = time.perf_counter()
        played = self._trainer.collect()
        collected = time.perf_counter()
        with uninterrupted():
            interval = self._trainer.learn(played)
            learned = time.perf_counter()
            if self._stopping is not None and interval.measurement is not None:
                self._stopping.update(interval.measurement)
            if first and self._config.reward.dynamic and "collection/ts" not in interval.metrics:
                self._say(
                    "the environment reports no components of the reward (infos ts, al, cc): its "
                    "weights stay as they are"
                )
            self._pending = {
                **interval.metrics,
                "timers/collect_s": collected - start,
                "timers/learn_s": learned - collected,
                "timers/episodes_per_s": len(played) / max(learned - start, 1e-9),
            }

    def _conclude(self) -> None:
        """Evaluate, log and save whatever is due after an interval, if it is not yet done."""
        if self._pending is None:
            return
        config, trainer = self._config, self._trainer
        evaluates = self._is_due(config.train.eval_interval, self._evaluated)
        deviates = self._is_due(config.train.nash_interval, self._deviated)
        # This may take long, so Ctrl-C may interrupt it: a resumed run evaluates again.
        metrics = {
            **self._pending,
            **(self._evaluate() if evaluates else {}),
            **(self._measure_nash_conv() if deviates else {}),
        }
        with uninterrupted():
            self._log.write(trainer.episodes, metrics)
            if self._progress is not None:
                self._progress.update(trainer.episodes, metrics)
            self._pending = None
            if evaluates:
                self._evaluated = trainer.episodes
            if deviates:
                self._deviated = trainer.episodes
            reward = metrics.get("eval/team_reward")
            if reward is not None and (self._best is None or reward > self._best):
                self._best = reward
                self.save(BEST)
            if self._is_due(config.train.checkpoint_interval, self._saved):
                self.save(periodic_name(trainer.episodes))
                self._saved = trainer.episodes

    def _evaluate(self) -> dict[str, float]:
        """Evaluate the policy without exploration, on fixed questions of the training split."""
        config, trainer = self._config, self._trainer
        start = time.perf_counter()
        policy = build_policy(config, trainer.learner.networks, trainer.teams.space, "train")
        seeds = [derive_seed(config.seed, "eval", k) for k in range(config.train.eval_episodes)]
        episodes = play_episodes(trainer.teams, policy, seeds, options=trainer.options())
        found = describe_episodes(episodes, trainer.teams.space)
        metrics = {f"eval/{name}": value for name, value in found.items()}
        return {**metrics, "timers/evaluate_s": time.perf_counter() - start}

    def _measure_nash_conv(self) -> dict[str, float]:
        """Measure NashConv of the policy, on fixed questions of the training split."""
        config, trainer = self._config, self._trainer
        start = time.perf_counter()
        try:
            found = measure_nash_conv(
                config,
                trainer.learner.networks,
                trainer.teams,
                questions=config.train.nash_questions,
                seed=config.seed,
                options=trainer.options(),
            )
        except TooFewResults as error:
            # Training continues, as it does after an interval in which all episodes failed.
            self._say(f"NashConv was not measured: {error}")
            return {}
        return {
            "eval/nash_conv": found.value,
            "eval/nash_conv_low": found.interval.low,
            "eval/nash_conv_high": found.interval.high,
            "timers/nash_conv_s": time.perf_counter() - start,
        }

    def _is_due(self, every: int, last: int) -> bool:
        """Return True if a multiple of ``every`` episodes was passed since ``last``.

        An interval may pass several multiples at once, or end beside one. If ``every`` is 0,
        nothing is ever due.
        """
        return every > 0 and self._trainer.episodes // every > last // every

    def _keep_bad_batch(self, error: NonFiniteLoss) -> str:
        path = self._log_dir / BAD_BATCH
        save_file(_tensors(error.batch), path)
        return (
            f"{error} after {self._trainer.learner.updates} updates, and was not learned from. The "
            f"batch is in {path}. A resumed run would end here again, unless you first change "
            f"{self._log_dir / CONFIG_FILE}: try a smaller train.learning_rate"
        )

    def _say(self, text: str) -> None:
        if self._progress is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._progress.note(text)


def last_logged_step(checkpoint: Checkpoint) -> int:
    """Step of the last line that was logged before a checkpoint."""
    pending, episodes = checkpoint.state["pending"], int(checkpoint.state["episodes"])
    return episodes if pending is None else episodes - 1


def _tensors(part: Batch | Window, prefix: str = "") -> dict[str, torch.Tensor]:
    """Tensors of a batch by name, as in ``now.moments``."""
    found: dict[str, torch.Tensor] = {}
    for item in fields(part):
        value = getattr(part, item.name)
        if isinstance(value, Window):
            found |= _tensors(value, f"{prefix}{item.name}.")
        elif value is not None:
            found[f"{prefix}{item.name}"] = value.contiguous().cpu()
    return found
