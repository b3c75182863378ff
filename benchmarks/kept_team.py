"""Trained teams that are kept with their results: policies and settings, about a megabyte each."""

from __future__ import annotations

import tempfile
from pathlib import Path

from econ_agents.config.files import config_mapping
from econ_agents.evaluation.evaluate import acting_parameters
from econ_agents.training.checkpoint import load_checkpoint, save_checkpoint
from econ_agents.training.inspection import find_checkpoint, saved_config
from econ_env.errors import UsageError

COUNTS = ("episodes", "failed", "updates")
"""Counts of a training that are kept with its team."""
OF_ONE_MACHINE = ("data_path", "cache", "cache_path")
"""Settings of the environment that speak of the machine of the training."""


def keep_team(run: Path, folder: Path) -> int:
    """Write the policies of the last checkpoint of a run as a checkpoint that can be played.

    Args:
        run: a checkpoint, or the folder of a run.
        folder: the new checkpoint; its name has small letters, digits and ``_``.

    Raises:
        UsageError: there is something at ``folder`` already, or its name is not allowed.
        CheckpointError: ``run`` holds no checkpoint, or a damaged one.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already: name a folder that does not")
    trained = load_checkpoint(find_checkpoint(run))
    settings = config_mapping(saved_config(trained.path))
    settings["logging"] |= {"log_dir": None, "model_dir": None}
    for layer in ("kwargs", "train_kwargs", "test_kwargs"):
        for name in OF_ONE_MACHINE:
            settings["env"][layer].pop(name, None)
    arrays = {
        # The mixer values actions in training, and chooses none.
        "networks": acting_parameters(trained.group("networks")),
        "weighting": trained.group("weighting"),
    }
    state = {"config": settings, **{name: trained.count(name) for name in COUNTS}}
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A save cleans up in the folder of its checkpoints, which must be one of its own.
    with tempfile.TemporaryDirectory(dir=folder.parent) as own:
        try:
            save_checkpoint(Path(own), folder.name, arrays, state).rename(folder)
        except ValueError as error:
            raise UsageError(str(error)) from error
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"written: {folder} ({size / 1e6:.1f} MB)")
    return 0
