"""Tests of the folder of a run: where its checkpoints lie."""

from __future__ import annotations

from pathlib import Path

from econ_agents.config.files import read_config
from econ_agents.training.run_folder import model_dir


def test_the_folder_of_the_checkpoints_may_lie_in_the_home_folder() -> None:
    config = read_config(None, ["logging.model_dir=~/checkpoints"])
    assert model_dir(config, Path("run")) == Path.home() / "checkpoints"
