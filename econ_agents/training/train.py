"""Starting a training run, and resuming one that was stopped.

The folder of a run holds its configuration, metrics, checkpoints and plots.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from econ_agents.algorithm.builders import build_teams
from econ_agents.config.files import CONFIG_FILE, write_config
from econ_agents.config.schema import Config, ConfigError
from econ_agents.logging.metrics_log import MetricsLog
from econ_agents.logging.progress import open_progress
from econ_agents.rollouts.placement import Placement
from econ_agents.training.checkpoint import (
    STATE_FILE,
    latest_checkpoint,
    load_checkpoint,
    periodic_name,
)
from econ_agents.training.checkpoint_state import check_sizes, restoring
from econ_agents.training.early_stopping import build_stopping
from econ_agents.training.packages import require_packages
from econ_agents.training.run import TrainingRun, last_logged_step
from econ_agents.training.run_folder import (
    claimed,
    clear_unused,
    playable_config,
    refuse_used,
    removed_if_unused,
)
from econ_agents.training.run_folder import model_dir as folder_of_checkpoints
from econ_agents.training.trainer import Trainer
from econ_files.private import make_private_folder

HERE = Placement()
"""Episodes are played in this process."""


def run_training(config: Config, log_dir: Path, placement: Placement = HERE) -> int:
    """Train from the beginning; the exit code is 0, or 130 after Ctrl-C.

    Args:
        config: the configuration; it is written to ``<log_dir>/config.yaml``.
        log_dir: folder of the run; it is made if it does not exist, and must not hold a run.
        placement: where episodes are played.

    Raises:
        ConfigError: there is a run in ``log_dir`` already, or the environment lacks something that
            the configuration needs.
        ClusterError: the cluster of ``placement`` cannot play.
        TrainingStopped: a loss was not finite.
    """
    placement.check()
    refuse_used(config, log_dir)
    is_new = not log_dir.exists()
    make_private_folder(log_dir)
    with claimed(log_dir), removed_if_unused(log_dir) if is_new else nullcontext():
        return _begin(config, log_dir, placement)


def resume_training(
    log_dir: Path,
    *,
    factory: str | None = None,
    model_dir: Path | None = None,
    placement: Placement = HERE,
) -> int:
    """Resume a run from its latest checkpoint; the exit code is 0, or 130 after Ctrl-C.

    Metrics after that checkpoint are dropped and measured again, to the same numbers.

    Args:
        log_dir: folder of the run.
        factory: factory of the run's environment, which the user must name if it is not a trusted
            one (:mod:`econ_agents.environments.trusted`).
        model_dir: folder of the run's checkpoints, which the user must name if it lies elsewhere.
        placement: where episodes are played; it need not be where they were played before.

    Raises:
        ConfigError: there is no run in ``log_dir``, another process works on it, or the user has
            not named what must be named.
        CheckpointError: the latest checkpoint is damaged.
        TrainingStopped: a loss was not finite.
    """
    placement.check()
    path = log_dir / CONFIG_FILE
    if not path.is_file():
        raise ConfigError(f"{log_dir} holds no run to resume: it has no {CONFIG_FILE}")
    config = playable_config(log_dir, factory, model_dir)
    with claimed(log_dir):
        latest = latest_checkpoint(folder_of_checkpoints(config, log_dir))
        if latest is None:
            # The run ended before its first checkpoint, and so before its first episode.
            return _begin(config, log_dir, placement)
        with _open(config, log_dir, placement, latest=latest) as run:
            run.note_what_is_off()
            return run.loop()


def _begin(config: Config, log_dir: Path, placement: Placement) -> int:
    clear_unused(log_dir)
    with _open(config, log_dir, placement, latest=None) as run:
        # Written only now, so that a run whose environment cannot be made leaves the folder free.
        write_config(config, log_dir / CONFIG_FILE)
        run.save(periodic_name(0))
        run.note_what_is_off()
        return run.loop()


@contextmanager
def _open(
    config: Config, log_dir: Path, placement: Placement, *, latest: Path | None
) -> Iterator[TrainingRun]:
    """Open everything that a run needs; restore the checkpoint ``latest`` if there is one."""
    require_packages(config.logging)
    with ExitStack() as stack:
        teams = build_teams(config, "train")
        stack.callback(teams.close)
        checkpoint = None if latest is None else load_checkpoint(latest)
        if checkpoint is not None:
            with restoring(checkpoint, "networks.safetensors"):
                # Before networks of these sizes are made: the configuration names any size.
                check_sizes(config, teams.space, checkpoint.group("networks"), checkpoint.config)
        rollouts = placement.open(config, "train", teams)
        stack.callback(rollouts.close)
        trainer = Trainer(config, teams, rollouts)
        stopping = build_stopping(config, teams.space)
        if checkpoint is not None:
            trainer.restore(checkpoint)
            if stopping is not None:
                with restoring(checkpoint, STATE_FILE):
                    stopping.restore(checkpoint.state["stopping"])
        logging = config.logging
        log = stack.enter_context(
            MetricsLog(
                log_dir,
                tensorboard=logging.tensorboard,
                wandb_mode=logging.wandb_mode if logging.wandb else "off",
                resume_at_step=None if checkpoint is None else last_logged_step(checkpoint),
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
        run = TrainingRun(config, log_dir, trainer, stopping, log, progress)
        if checkpoint is not None:
            run.restore(checkpoint)
        yield run
