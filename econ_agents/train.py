"""A training run: a folder with its configuration, metrics, checkpoints and plots."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from safetensors.torch import save_file

from econ_agents.assembly import build_policy, build_teams, commitment_columns
from econ_agents.checkpoint import (
    keep_last,
    latest_checkpoint,
    load_checkpoint,
    periodic_name,
    save_checkpoint,
)
from econ_agents.collection_metrics import describe_episodes
from econ_agents.config import Config, ConfigError
from econ_agents.config_file import CONFIG_FILE, read_config, write_config
from econ_agents.inspection import FINAL
from econ_agents.interrupts import uninterrupted
from econ_agents.learner import NonFiniteLoss
from econ_agents.metrics import MetricsLog
from econ_agents.plots import plot_run
from econ_agents.progress import Progress, open_progress
from econ_agents.rollout import play_episodes
from econ_agents.seeds import derive_seed
from econ_agents.stopping import EarlyStopping, PlateauStopping, Stopping
from econ_agents.trainer import Trainer

BEST = "best"
"""Checkpoint with the highest team reward of all evaluations."""
BAD_BATCH = "bad_batch.safetensors"
"""What a loss that is not finite was computed from."""


class TrainingStopped(Exception):
    """Training cannot go on; the message says why and what was kept."""


def run_training(config: Config, log_dir: Path) -> int:
    """Train from the beginning; the exit code is 0, or 130 after Ctrl-C.

    Args:
        config: the configuration; it is written to ``<log_dir>/config.yaml``.
        log_dir: made where it does not exist; it must not hold a run.

    Raises:
        ConfigError: there is a run in ``log_dir`` already.
        TrainingStopped: a loss was not finite.
    """
    if (log_dir / CONFIG_FILE).exists():
        raise ConfigError(
            f"{log_dir} holds a run already: go on with it (econ-agents resume --log_dir "
            f"{log_dir}), or choose another --log_dir"
        )
    log_dir.mkdir(parents=True, exist_ok=True)
    with _open(config, log_dir, latest=None) as run:
        write_config(config, log_dir / CONFIG_FILE)
        run.save(periodic_name(0))
        return run.loop()


def resume_training(log_dir: Path) -> int:
    """Go on with a run from its latest checkpoint; the exit code is 0, or 130 after Ctrl-C.

    Metrics after that checkpoint are dropped and measured again, to the same numbers.

    Raises:
        ConfigError: there is no run in ``log_dir``.
        CheckpointError: the latest checkpoint is damaged.
    """
    path = log_dir / CONFIG_FILE
    if not path.is_file():
        raise ConfigError(f"{log_dir} holds no run that could go on: it has no {CONFIG_FILE}")
    config = read_config(path)
    latest = latest_checkpoint(model_dir(config, log_dir))
    if latest is None:
        # It ended before its first checkpoint: there is nothing to lose.
        path.unlink()
        (log_dir / "metrics.jsonl").unlink(missing_ok=True)
        return run_training(config, log_dir)
    with _open(config, log_dir, latest=latest) as run:
        return run.loop()


def model_dir(config: Config, log_dir: Path) -> Path:
    """Folder of the checkpoints of a run in ``log_dir``."""
    named = config.logging.model_dir
    return log_dir / "checkpoints" if named is None else Path(named)


@contextmanager
def _open(config: Config, log_dir: Path, *, latest: Path | None) -> Iterator[_Run]:
    """Everything a run holds open; it goes on from the checkpoint ``latest``, if there is one."""
    with ExitStack() as stack:
        teams = build_teams(config, "train")
        stack.callback(teams.close)
        trainer = Trainer(config, teams)
        stopping = _stopping(config)
        best = float("-inf")
        if latest is not None:
            checkpoint = load_checkpoint(latest)
            trainer.restore(checkpoint)
            if stopping is not None:
                stopping.restore(checkpoint.state["stopping"])
            if checkpoint.state["best"] is not None:
                best = checkpoint.state["best"]
        logging = config.logging
        log = stack.enter_context(
            MetricsLog(
                log_dir,
                tensorboard=logging.tensorboard,
                wandb_mode=logging.wandb_mode if logging.wandb else "off",
                resume_at_step=None if latest is None else trainer.episodes,
            )
        )
        progress = None
        if logging.progress:
            progress = open_progress(
                description=config.experiment_name,
                total=config.train.episodes,
                done=trainer.episodes,
            )
            stack.callback(progress.close)
        run = _Run(config, log_dir, trainer, stopping, log, progress, best)
        if latest is None:
            run.note_what_is_off()
        yield run


class _Run:
    """A run while it is open."""

    def __init__(
        self,
        config: Config,
        log_dir: Path,
        trainer: Trainer,
        stopping: Stopping | None,
        log: MetricsLog,
        progress: Progress | None,
        best: float,
    ) -> None:
        self._config = config
        self._log_dir = log_dir
        self._trainer = trainer
        self._stopping = stopping
        self._log = log
        self._progress = progress
        self._best = best

    def loop(self) -> int:
        """Train to the last episode, or until training stops early, or until Ctrl-C."""
        config, trainer = self._config, self._trainer
        started, before = time.monotonic(), trainer.episodes
        reason = ""
        try:
            while trainer.episodes < config.train.episodes and not reason:
                reason = self._interval()
        except KeyboardInterrupt:
            with uninterrupted():
                self.save(periodic_name(trainer.episodes))
            self._say(
                f"interrupted: saved after {trainer.episodes} episodes; go on with "
                f"econ-agents resume --log_dir {self._log_dir}"
            )
            return 130
        except NonFiniteLoss as error:
            raise TrainingStopped(self._keep_bad_batch(error)) from error
        with uninterrupted():
            self.save(FINAL)
            self._log.sync()
        if reason:
            self._say(f"stopped early after {trainer.episodes} episodes: {reason}")
        plots = plot_run(self._log_dir) if config.logging.plots else []
        played = trainer.episodes - before
        self._say(
            f"trained {played} episodes in {time.monotonic() - started:.0f} s"
            + (f", {trainer.failed} of them failed and were dropped" if trainer.failed else "")
            + f"; checkpoint {model_dir(config, self._log_dir) / FINAL}"
            + (f"; plots {', '.join(path.name for path in plots)}" if plots else "")
        )
        return 0

    def note_what_is_off(self) -> None:
        """Say which parts of the method this environment has no place for."""
        space = self._trainer.teams.space
        if commitment_columns(space) is None and self._config.losses.commitment_similarity > 0:
            self._say(
                "the environment names no commitment (metadata['observation_layout']): the loss "
                "L_SD is off"
            )

    def save(self, name: str) -> None:
        """A checkpoint of everything. The log's lines reach the disk before it."""
        self._log.sync()
        trainer, folder = self._trainer, model_dir(self._config, self._log_dir)
        stopping = None if self._stopping is None else self._stopping.state()
        best = None if self._best == float("-inf") else self._best
        state = {**trainer.state(), "stopping": stopping, "best": best}
        save_checkpoint(folder, name, trainer.arrays(), state)
        keep_last(folder, self._config.train.keep_checkpoints)

    def _interval(self) -> str:
        """Play and learn once; why training ends with it, or nothing."""
        config, trainer = self._config, self._trainer
        start = time.perf_counter()
        played = trainer.collect()
        collected = time.perf_counter()
        with uninterrupted():
            interval = trainer.learn(played)
            learned = time.perf_counter()
            metrics = {
                **interval.metrics,
                **self._evaluate(),
                "timers/collect_s": collected - start,
                "timers/learn_s": learned - collected,
                "timers/episodes_per_s": len(played) / max(time.perf_counter() - start, 1e-9),
            }
            self._log.write(trainer.episodes, metrics)
            if self._progress is not None:
                self._progress.update(trainer.episodes, metrics)
            reward = metrics.get("eval/team_reward")
            if reward is not None and reward > self._best:
                self._best = reward
                self.save(BEST)
            stopped = (
                self._stopping is not None
                and interval.measurement is not None
                and self._stopping.update(interval.measurement)
            )
            if _passes(trainer.episodes, len(played), config.train.checkpoint_interval):
                self.save(periodic_name(trainer.episodes))
        return self._stopping.reason if stopped and self._stopping is not None else ""

    def _evaluate(self) -> dict[str, float]:
        """How the policy does without exploration, on fixed questions of the training split."""
        config, trainer = self._config, self._trainer
        every = config.train.eval_interval
        if not every or not _passes(trainer.episodes, config.update_interval, every):
            return {}
        policy = build_policy(config, trainer.learner.networks, trainer.teams.space, "train")
        seeds = [derive_seed(config.seed, "eval", k) for k in range(config.train.eval_episodes)]
        episodes = []
        for start in range(0, len(seeds), policy.streams):
            part = seeds[start : start + policy.streams]
            episodes += play_episodes(trainer.teams, policy, part, options=trainer.options())
        found = describe_episodes(episodes, trainer.teams.space)
        return {f"eval/{name}": value for name, value in found.items()}

    def _keep_bad_batch(self, error: NonFiniteLoss) -> str:
        batch, path = error.batch, self._log_dir / BAD_BATCH
        tensors: dict[str, torch.Tensor] = {
            "now.moments": batch.now.moments,
            "then.moments": batch.then.moments,
            "actions": batch.actions,
            "rewards": batch.rewards,
            "team_rewards": batch.team_rewards,
            "states": batch.states,
            "terminal": batch.terminal,
        }
        save_file({name: value.contiguous().cpu() for name, value in tensors.items()}, path)
        return (
            f"{error} after {self._trainer.learner.updates} updates: training stopped before it "
            f"spoiled the networks. The batch is in {path}; the latest checkpoint is whole"
        )

    def _say(self, text: str) -> None:
        if self._progress is not None:
            self._progress.note(text)


def _stopping(config: Config) -> Stopping | None:
    settings = config.early_stopping
    if not settings.enabled:
        return None
    if (
        settings.epsilon_c is None
        or settings.epsilon_l is None
        or settings.reward_threshold is None
    ):
        return PlateauStopping(
            min_delta=settings.min_delta, patience=settings.patience, warmup=settings.warmup
        )
    return EarlyStopping(
        epsilon_c=settings.epsilon_c,
        epsilon_l=settings.epsilon_l,
        reward_threshold=settings.reward_threshold,
        patience=settings.patience,
        warmup=settings.warmup,
    )


def _passes(episodes: int, played: int, every: int) -> bool:
    """Whether a multiple of ``every`` lies within the last ``played`` episodes."""
    return episodes // every > (episodes - played) // every
