"""Inspection of checkpoints: finding one, reading its configuration, describing its contents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from econ_agents.config.files import config_mapping, config_values, flat_keys, make_config
from econ_agents.config.schema import Config


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
    for folder in (model_dir, model_dir / "checkpoints"):
        if (folder / FINAL / STATE_FILE).is_file():
            return folder / FINAL
        latest = latest_checkpoint(folder)
        if latest is not None:
            return latest
    raise CheckpointError(
        f"{model_dir} holds no checkpoint: name a checkpoint, the folder of the checkpoints, or "
        "the log_dir of a run"
    )


def stored_config(checkpoint: Path) -> Config:
    """Read the configuration that a checkpoint was trained with: ``config`` in its state.

    Raises:
        CheckpointError: the checkpoint is damaged or holds no configuration.
        ConfigError: its configuration belongs to another version.
    """
    from econ_agents.training.checkpoint import CheckpointError, load_checkpoint

    state = load_checkpoint(checkpoint).state
    if not isinstance(state.get("config"), dict):
        raise CheckpointError(
            f"{checkpoint} holds no configuration: it was saved by another program"
        )
    return make_config(config_values(state["config"], origin=str(checkpoint)))


def nothing_learned(config: Config, state: Mapping[str, Any]) -> str | None:
    """Note, in words, that the networks of a checkpoint were never updated; None if they were.

    Args:
        config: configuration of the run.
        state: state of the checkpoint: the counters ``updates``, ``episodes`` and ``failed``.
    """
    if state["updates"]:
        return None
    return (
        f"nothing was learned: warm-up is {config.train.warmup} episodes, and after "
        f"{state['episodes']} episodes, of which {state['failed']} failed, the networks are as "
        "they began"
    )


def describe_checkpoint(checkpoint: Path) -> str:
    """Describe a checkpoint: counters, tensors, and the keys that are not at their defaults.

    Raises:
        CheckpointError: it is missing or damaged.
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
    for key, value in flat_keys(config_mapping(stored_config(checkpoint))).items():
        if value != defaults.get(key):
            lines.append(f"  {key:<34} {value}")
    return "\n".join(lines)
