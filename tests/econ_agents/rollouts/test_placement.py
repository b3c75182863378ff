"""Flags that say where episodes are played: refused early, and never part of a configuration."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from econ_agents.commands.cli import main
from econ_agents.config.files import config_keys
from econ_agents.rollouts import placement


def test_a_cluster_without_ray_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_ray(name: str) -> Any:
        return None if name == "ray" else find_spec(name)

    monkeypatch.setattr(placement, "find_spec", without_ray)
    run = tmp_path / "run"
    assert main(["train", "--rollout", "ray", "--log-dir", str(run)]) == 2
    assert "pip install 'econ-env[ray]'" in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--rollout", "ray", "--rollout-workers", "0"], "--rollout-workers must be at least 1"),
        (["--ray-address", "auto"], "--rollout ray only"),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert main(["train", *flags, "--log-dir", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err


def test_no_configuration_file_can_name_a_cluster() -> None:
    assert not [key for key in config_keys() if "ray" in key.split(".")[-1].split("_")]
    assert not {"rollout", "rollout_workers"} & set(config_keys())
