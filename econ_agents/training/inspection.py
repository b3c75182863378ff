"""Inspection of checkpoints: finding one, reading its configuration, describing its contents."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from econ_agents.config.environment import EnvSettings
from econ_agents.config.files import (
    CONFIG_FILE,
    config_mapping,
    config_values,
    flat_keys,
    make_config,
)
from econ_agents.config.schema import Config, ConfigError
from econ_agents.environments.trusted import how_to_trust, is_trusted
from econ_console.console import one_line

if TYPE_CHECKING:
    from econ_agents.training.checkpoint import Checkpoint

_MOST = {
    "n_agents": 10_000,
    "update_interval": 10_000,
    "train.in_flight": 10_000,
    "test.streams": 10_000,
}
"""Largest numbers that the configuration in a file of others may ask for: each needs memory."""
CHECKPOINTS = "checkpoints"
"""Name of the folder of the checkpoints in the folder of a run."""


def find_checkpoint(model_dir: Path) -> Path:
    """Find the checkpoint that ``--model-dir`` names.

    Args:
        model_dir: a checkpoint, a folder of checkpoints, or the folder of a run. Of several
            checkpoints, ``final`` is taken if there is one, else the one that was saved last.

    Raises:
        CheckpointError: there is no checkpoint.
    """
    from econ_agents.training.checkpoint import (
        FINAL,
        STATE_FILE,
        CheckpointError,
        latest_checkpoint,
    )

    if (model_dir / STATE_FILE).is_file():
        return model_dir
    for folder in (model_dir, model_dir / CHECKPOINTS):
        final = folder / FINAL
        if (final / STATE_FILE).is_file() and not final.is_symlink():
            return final
        latest = latest_checkpoint(folder)
        if latest is not None:
            return latest
    raise CheckpointError(
        f"{model_dir} holds no checkpoint: name a checkpoint, the folder of the checkpoints, or "
        "the log_dir of a run"
    )


def saved_config(checkpoint: Path) -> Config:
    """Read the configuration in a checkpoint as it is saved, to be shown or compared.

    Raises:
        CheckpointError: the checkpoint is damaged, or holds no configuration of this version.
    """
    from econ_agents.training.checkpoint import load_checkpoint

    return _config_of(load_checkpoint(checkpoint))


def stored_config(checkpoint: Path, *, factory: str | None = None) -> Config:
    """Read the configuration that a checkpoint was trained with, as far as it may be played.

    A checkpoint may come from somebody else. So it names no folders for output, and only a trusted
    factory of the environment (:mod:`econ_agents.environments.trusted`). The arguments in ``env``
    are those of its own factory.

    Args:
        checkpoint: folder of the checkpoint.
        factory: factory that the user named, which is trusted. Another one than that of the
            checkpoint gets none of the arguments in ``env``. None: the factory of the checkpoint.

    Raises:
        CheckpointError: the checkpoint is damaged, holds no configuration of this version, or names
            a factory that must be named by the user.
    """
    from econ_agents.training.checkpoint import CheckpointError

    config = saved_config(checkpoint)
    env = config.env
    if factory is None and not is_trusted(env.factory):
        raise CheckpointError(
            f"{checkpoint} was trained in another environment: {how_to_trust(env.factory)}"
        )
    if factory not in (None, env.factory):
        env = EnvSettings(factory=factory)
    logging = replace(config.logging, log_dir=None, model_dir=None)
    return replace(config, env=env, logging=logging)


def excessive_size(config: Config) -> str | None:
    """Name a size in a configuration that would fill the memory; None if there is none.

    The arguments of the environment's factory are among them.
    """
    for key, most in _MOST.items():
        sizes = {key: attrgetter(key)(config)}
        for layer in ("kwargs", "train_kwargs", "test_kwargs"):
            sizes[f"env.{layer}.{key}"] = getattr(config.env, layer).get(key)
        for name, value in sizes.items():
            if isinstance(value, int | float) and value > most:
                return f"{name} = {value!r:.40}, more than {most:,}"
    return None


def results_folder(checkpoint: Path) -> Path:
    """Folder for the results of a checkpoint: that of its run, else the one that holds it.

    A copied or moved run thus reports into its own folder.
    """
    folder = checkpoint.absolute().parent
    run = folder.parent
    return run if folder.name == CHECKPOINTS and (run / CONFIG_FILE).is_file() else folder


def nothing_learned(config: Config, checkpoint: Checkpoint) -> str | None:
    """Note, in words, that the networks of a checkpoint were never updated; None if they were.

    Args:
        config: configuration of the run.
        checkpoint: of the run.

    Raises:
        CheckpointError: it does not say how often they were updated, or after how many episodes.
    """
    if checkpoint.count("updates"):
        return None
    return as_they_began(config, checkpoint.count("episodes"), checkpoint.count("failed"))


def as_they_began(config: Config, episodes: int, failed: int) -> str:
    """Say of networks that were never updated that nothing was learned.

    Args:
        config: configuration of the run.
        episodes: number of episodes that it has played.
        failed: number of those that came to no result.
    """
    return (
        f"nothing was learned: warm-up is {config.train.warmup} episodes, and after {episodes} "
        f"episodes, of which {failed} failed, the networks are as they began"
    )


def describe_checkpoint(checkpoint: Path) -> str:
    """Describe a checkpoint: counters, tensors, and the keys that are not at their defaults.

    Control characters and line breaks of the file are shown as escapes: it may come from others.

    Raises:
        CheckpointError: it is missing or damaged, or holds no configuration of this version.
    """
    from econ_agents.training.checkpoint import load_checkpoint

    loaded = load_checkpoint(checkpoint)
    lines = [str(checkpoint), "", "state"]
    for name, value in loaded.state.items():
        if isinstance(value, (bool, int, float, str)):
            lines.append(f"  {name:<34} {value}")
    lines += ["", "arrays"]
    for group, tensors in loaded.arrays.items():
        numbers = sum(tensor.numel() for tensor in tensors.values())
        lines.append(f"  {group:<34} {len(tensors):,} tensors, {numbers:,} numbers")
    lines += ["", "configuration, where it is not the default"]
    defaults = flat_keys(config_mapping(Config()))
    for key, value in flat_keys(config_mapping(_config_of(loaded))).items():
        if value != defaults.get(key):
            lines.append(f"  {key:<34} {value}")
    return "\n".join(map(one_line, lines))


def _config_of(checkpoint: Checkpoint) -> Config:
    from econ_agents.training.checkpoint import STATE_FILE, CheckpointError

    file = checkpoint.path / STATE_FILE
    try:
        config = make_config(config_values(checkpoint.config))
    except ConfigError as error:
        raise CheckpointError(
            f"the configuration in {file} is not of this version: {error}"
        ) from error
    huge = excessive_size(config)
    if huge is not None:
        raise CheckpointError(f"{file} asks for {huge}")
    moments = checkpoint.arrays.get("memory", {}).get("moments")
    if moments is not None and moments.shape[1:2] != (config.memory.length,):
        raise CheckpointError(
            f"{file} asks for memory.length = {config.memory.length}, but "
            f"{checkpoint.path / 'memory.safetensors'} has another length"
        )
    return config
