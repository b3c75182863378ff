"""Training of the named scripts: start a run, continue it, or find it finished."""

from __future__ import annotations

import sys
from pathlib import Path

from econ_agents.config.files import CONFIG_FILE, config_mapping, read_config
from econ_agents.config.schema import Config, ConfigError
from econ_agents.training.checkpoint import FINAL

_CHOOSE = "choose another --log-dir and --model-dir"


def train(config: Config) -> int:
    """Train the team of a configuration, continue its training, or do nothing if it is trained.

    So a command can be repeated until it has finished.

    Returns:
        0, or 130 after Ctrl-C.

    Raises:
        ConfigError: the folders hold another run.
        CheckpointError: the latest checkpoint is damaged.
        TrainingStopped: a loss was not finite.
    """
    from econ_agents.training.checkpoint import STATE_FILE
    from econ_agents.training.train import resume_training, run_training

    log_dir, model_dir = config.log_dir, config.model_dir
    if not (log_dir / CONFIG_FILE).is_file():
        _refuse_checkpoints_of_another(model_dir)
        print(
            f"Training {config.train.episodes} episodes: log in {log_dir}, checkpoints in "
            f"{model_dir}",
            flush=True,
        )
        code = run_training(config, log_dir)
    else:
        _refuse_another_run(config, log_dir)
        if (model_dir / FINAL / STATE_FILE).is_file():
            print(f"{model_dir / FINAL} is already trained: only the test is left.", flush=True)
            return 0
        print(f"Continuing the training in {log_dir}", flush=True)
        # The folders are those that this command was given.
        apart = None if config.logging.model_dir is None else model_dir
        code = resume_training(log_dir, factory=config.env.factory, model_dir=apart)
    if code == 130:
        print("Repeat the command to continue; it ends with the test.", file=sys.stderr)
    return code


def _refuse_checkpoints_of_another(model_dir: Path) -> None:
    from econ_agents.training.checkpoint import latest_checkpoint

    if latest_checkpoint(model_dir) is not None:
        raise ConfigError(f"{model_dir} holds the checkpoints of another run: {_CHOOSE}")


def _refuse_another_run(config: Config, log_dir: Path) -> None:
    """Raise ``ConfigError`` unless the run in a folder has the same settings, except the test's."""
    from econ_agents.training.checkpoint_state import differing_settings, first_of

    then, now = (
        {key: value for key, value in config_mapping(each).items() if key != "test"}
        for each in (read_config(log_dir / CONFIG_FILE), config)
    )
    differences = differing_settings(then, now)
    if differences:
        raise ConfigError(
            f"{log_dir} holds another run: {first_of(differences)}. Repeat its command to continue "
            f"it, or {_CHOOSE}"
        )
