"""Training for the named scripts: begun, gone on with, or done already."""

from __future__ import annotations

import sys
from pathlib import Path

from econ_agents.config.files import CONFIG_FILE, config_mapping, read_config
from econ_agents.config.schema import Config, ConfigError
from econ_agents.training.checkpoint import FINAL

_CHOOSE = "choose another --log-dir and --model-dir"


def train(config: Config) -> int:
    """Train the team of a configuration, or go on where it was stopped; nothing if it is trained.

    So the same command, called again, ends what it began.

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
            print(f"{model_dir / FINAL} is trained already: it is tested.", flush=True)
            return 0
        print(f"Going on with the training in {log_dir}", flush=True)
        code = resume_training(log_dir)
    if code == 130:
        print("The same command goes on, and tests at the end.", file=sys.stderr)
    return code


def _refuse_checkpoints_of_another(model_dir: Path) -> None:
    from econ_agents.training.checkpoint import latest_checkpoint

    if latest_checkpoint(model_dir) is not None:
        raise ConfigError(f"{model_dir} holds the checkpoints of another run: {_CHOOSE}")


def _refuse_another_run(config: Config, log_dir: Path) -> None:
    """Raise ``ConfigError`` unless the run in a folder has the same settings, the test's apart."""
    from econ_agents.training.checkpoint_state import differing_settings, first_of

    then, now = (
        {key: value for key, value in config_mapping(each).items() if key != "test"}
        for each in (read_config(log_dir / CONFIG_FILE), config)
    )
    differences = differing_settings(then, now)
    if differences:
        raise ConfigError(
            f"{log_dir} holds another run: {first_of(differences)}. Repeat its command to go on "
            f"with it, or {_CHOOSE}"
        )
