"""A training run while it is open: intervals, evaluations, log, checkpoints and its end."""

from __future__ import annotations

import itertools
import json
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors.torch import save

from econ_agents.algorithm.builders import build_policy, commitment_columns
from econ_agents.algorithm.episode_metrics import describe_episodes
from econ_agents.algorithm.learner import NonFiniteLoss
from econ_agents.algorithm.memory import FloatArray
from econ_agents.algorithm.question_order import question_order
from econ_agents.algorithm.replay_buffer import Batch, Window
from econ_agents.config.files import CONFIG_FILE
from econ_agents.config.schema import Config, ConfigError
from econ_agents.config.shared_questions import shared_questions
from econ_agents.equilibrium.policy_nash_conv import measure_nash_conv, most_plays
from econ_agents.errors import EconAgentsError
from econ_agents.logging.curves import RunCurves
from econ_agents.logging.metrics_log import MetricsLog, read_metrics
from econ_agents.logging.plots import plot_run
from econ_agents.logging.progress import Progress
from econ_agents.seeds import derive_seed
from econ_agents.statistics import TooFewResults
from econ_agents.training.checkpoint import (
    FINAL,
    STATE_FILE,
    Checkpoint,
    CheckpointError,
    keep_last,
    periodic_name,
    save_checkpoint,
)
from econ_agents.training.early_stopping import Measurement, Stopping, earliest_stop
from econ_agents.training.inspection import as_they_began
from econ_agents.training.interrupts import uninterrupted
from econ_agents.training.run_folder import how_to_resume, model_dir
from econ_agents.training.trainer import Trainer
from econ_files.durable import replace_file, write_durably

BEST = "best"
"""Name of the checkpoint with the highest team reward of all evaluations."""
BAD_BATCH = "bad_batch.safetensors"
"""File with the batch on which a loss was not finite."""
FAILURES = "failures.json"
"""File with the failed episodes by cause, and with the error that ended the run if one did."""
_LOSS, _REWARD = "train/loss_total", "collection/reward_per_decision"


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
        self._best, self._pending = checkpoint.number("best"), _pending(checkpoint)
        self._evaluated = checkpoint.count("evaluated")
        self._deviated = checkpoint.count("deviated")
        self._saved = self._trainer.episodes
        if (self._log_dir / FAILURES).exists():
            self._record_failures()

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
                if self._progress is not None:
                    self._progress.close()
                self._say(
                    f"interrupted: saved after {trainer.episodes} episodes; go on with "
                    f"{how_to_resume(self._config, self._log_dir)}"
                )
            return 130
        except NonFiniteLoss as error:
            raise TrainingStopped(self._keep_bad_batch(error)) from error
        except Exception as error:
            self._record_failures(f"{error}")
            raise
        with uninterrupted():
            self.save(FINAL)
            self._log.sync()
        if self._progress is not None:
            # What follows is about the whole run: the line stays above it.
            self._progress.close()
        if not trainer.learner.updates:
            self._say(as_they_began(config, trainer.episodes, trainer.failed))
        if self._reason():
            self._say(f"stopped early after {trainer.episodes} episodes: {self._reason()}")
        plots = plot_run(self._curves(), self._log_dir) if config.logging.plots else []
        for line in trainer.causes.lines():
            self._say(f"failed: {line}")
        played = trainer.episodes - before
        if not played:
            self._say(
                f"this run is trained already, over {trainer.episodes} episodes: test it with "
                f"econ-agents test --model-dir {shlex.quote(str(self._log_dir))}"
            )
            return 0
        self._say(
            f"trained {played} episodes in {time.monotonic() - started:.0f} s"
            + (f", {trainer.failed} of them failed and were dropped" if trainer.failed else "")
            + f"; checkpoint {model_dir(config, self._log_dir) / FINAL}"
            + (f"; plots {', '.join(path.name for path in plots)}" if plots else "")
        )
        return 0

    def note_what_is_off(self) -> None:
        """Note the parts of the method that this environment or this run does not support."""
        space = self._trainer.teams.space
        if commitment_columns(space) is None and self._config.losses.commitment_similarity > 0:
            self._say(
                "the environment names no commitment (metadata['observation_layout']): the loss "
                "L_SD is off"
            )
        train = self._config.train
        if train.warmup_episodes >= train.episodes:
            self._say(
                f"{train.episodes} episodes are too few to learn much: the warm-up alone would "
                f"take {train.warmup_episodes} (train.warmup_episodes); it is cut to {train.warmup}"
            )
        same = shared_questions(self._config)
        if same is not None and self._trainer.teams.num_questions(1):
            self._say(same)
        if self._stopping is None:
            return
        stops_at = earliest_stop(self._config)
        if stops_at >= self._config.train.episodes:
            early = self._config.early_stopping
            self._say(
                f"early stopping cannot end this run of {self._config.train.episodes} episodes: "
                f"with early_stopping.warmup={early.warmup} and patience={early.patience} it "
                f"needs {stops_at} episodes at least; every episode will be played"
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

    def _record_failures(self, ended_by: str | None = None) -> None:
        """Write the failures so far, and the error that ends the run if there is one."""
        trainer = self._trainer
        found = {
            "episodes": trainer.episodes,
            "failed": trainer.failed,
            "causes": [
                {"cause": words, "episodes": count}
                for words, count in trainer.causes.counts().items()
            ],
            "ended_by": ended_by,
        }
        text = json.dumps(found, ensure_ascii=False, indent=1)
        replace_file(self._log_dir / FAILURES, text.encode("utf-8", "replace"))

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
            self._check_metric(interval.metrics)
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
        judged = self._is_judged(self._pending)
        # This may take long, so Ctrl-C may interrupt it: a resumed run evaluates again.
        metrics = {
            **self._pending,
            **(self._evaluate() if evaluates else {}),
            **(self._measure_nash_conv() if deviates else {}),
        }
        probed = self._probe() if judged else None
        with uninterrupted():
            if judged:
                metrics |= self._judge(metrics, probed)
            self._log.write(trainer.episodes, metrics)
            if trainer.failed:
                self._record_failures()
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

    def _curves(self) -> RunCurves:
        """Curves of everything that the run has measured."""
        config, parts = self._config, self._trainer.teams.space.action_parts or ()
        return RunCurves(
            lines=read_metrics(self._log_dir),
            random_episodes=config.train.warmup,
            loss_weights=asdict(config.losses),
            bounds={part.name: (part.low, part.high) for part in parts},
        )

    def _check_metric(self, metrics: Mapping[str, float]) -> None:
        """Check that there is a metric of the name ``early_stopping.metric``.

        Raises:
            ConfigError: there is none among the metrics of the played episodes.
        """
        name, namespace = self._config.early_stopping.metric, "collection/"
        known = [key.removeprefix(namespace) for key in metrics if key.startswith(namespace)]
        if self._stopping is not None and _REWARD in metrics and name not in known:
            raise ConfigError(
                f"early_stopping.metric is {name!r}, but the metrics of played episodes are "
                f"{', '.join(known)}"
            )

    def _is_judged(self, metrics: Mapping[str, float]) -> bool:
        """Return True if early stopping judges an interval: with an update and a result."""
        return self._stopping is not None and _LOSS in metrics and _REWARD in metrics

    def _probe(self) -> FloatArray | None:
        """Commitments on the probe questions; None if early stopping does not ask for them."""
        needed = self._stopping is not None and self._stopping.needs_probes
        return self._trainer.probe() if needed else None

    def _judge(self, metrics: Mapping[str, float], probed: FloatArray | None) -> dict[str, float]:
        """Tell early stopping of an interval, and return what it compared, for the log."""
        stopping, trainer = self._stopping, self._trainer
        if stopping is None:
            return {}
        stopping.update(
            Measurement(
                episodes=trainer.episodes,
                reward_per_decision=metrics[_REWARD],
                loss=metrics[_LOSS],
                metric=metrics[f"collection/{self._config.early_stopping.metric}"],
                commitment_change=None if probed is None else trainer.commitment_change(probed),
            )
        )
        return {f"stopping/{name}": value for name, value in stopping.measured.items()}

    def _evaluate(self) -> dict[str, float]:
        """Evaluate the policy without exploration, on fixed questions of the training split."""
        config, trainer = self._config, self._trainer
        self._show_phase(f"evaluating on {config.train.eval_episodes} questions")
        start = time.perf_counter()
        policy = build_policy(config, trainer.learner.networks, trainer.teams.space, "train")
        seeds = [derive_seed(config.seed, "eval", k) for k in range(config.train.eval_episodes)]
        order = question_order(trainer.teams, len(seeds), seed=config.seed, purpose="eval")
        episodes = trainer.rollouts.play(
            policy, seeds, options=trainer.options(), questions=order.numbers
        )
        found = describe_episodes(episodes, trainer.teams.space)
        metrics = {f"eval/{name}": value for name, value in found.items()}
        return {**metrics, "timers/evaluate_s": time.perf_counter() - start}

    def _measure_nash_conv(self) -> dict[str, float]:
        """Measure NashConv of the policy, on fixed questions of the training split."""
        config, trainer = self._config, self._trainer
        most = most_plays(len(trainer.teams.space.agents), trainer.teams.space.action_size)
        plays = itertools.count(1)
        start = time.perf_counter()
        try:
            found = measure_nash_conv(
                config,
                trainer.learner.networks,
                trainer.teams,
                questions=config.train.nash_questions,
                seed=config.seed,
                options=trainer.options(),
                played=lambda: self._show_phase(
                    f"measuring NashConv, play {next(plays)} of at most {most}"
                ),
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
        write_durably(path, save(_tensors(error.batch)))
        return (
            f"{error} after {self._trainer.learner.updates} updates, and was not learned from. The "
            f"batch is in {path}. A resumed run would end here again, unless you first change "
            f"{self._log_dir / CONFIG_FILE}: try a smaller train.learning_rate"
        )

    def _show_phase(self, text: str) -> None:
        if self._progress is not None:
            self._progress.phase(text)

    def _say(self, text: str) -> None:
        if self._progress is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._progress.note(text)


def last_logged_step(checkpoint: Checkpoint) -> int:
    """Step of the last line that was logged before a checkpoint."""
    episodes = checkpoint.count("episodes")
    return episodes if _pending(checkpoint) is None else episodes - 1


def _pending(checkpoint: Checkpoint) -> dict[str, float] | None:
    """Metrics of the last interval that were not yet in the log when the checkpoint was saved."""
    pending = checkpoint.state.get("pending")
    if pending is None:
        return None
    if not isinstance(pending, dict) or any(type(v) not in (int, float) for v in pending.values()):
        raise CheckpointError(f"{checkpoint.path / STATE_FILE}: 'pending' must hold metrics")
    return pending


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
