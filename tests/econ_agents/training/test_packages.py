"""Missing packages: all are named before anything is played."""

from __future__ import annotations

from typing import Any

import pytest

from econ_agents.commands.cli import main
from econ_agents.config.schema import ConfigError, LoggingSettings
from econ_agents.training import packages


def without(*names: str) -> Any:
    return lambda name: None if name in names else object()


def test_all_missing_packages_are_named_at_once_with_the_flags_to_do_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "find_spec", without("tensorboard", "matplotlib", "wandb"))
    with pytest.raises(ConfigError) as refused:
        packages.require_packages(LoggingSettings(wandb=True))
    said = str(refused.value)
    for part in ("tensorboard", "matplotlib", "wandb", "'econ-env[train,wandb]'"):
        assert part in said
    assert "--logging.no-tensorboard --logging.no-plots --logging.no-wandb" in said


def test_a_package_that_is_not_used_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", without("tensorboard", "matplotlib", "wandb"))
    packages.require_packages(LoggingSettings(tensorboard=False, plots=False))
    with pytest.raises(ConfigError, match="tensorboard"):
        packages.require_packages(LoggingSettings(tensorboard=True, plots=False))


def test_training_looks_for_them_before_it_plays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    monkeypatch.setattr(packages, "find_spec", without("matplotlib"))
    assert main(["train", "--config", "simulated", "--log-dir", str(tmp_path / "run")]) == 2
    assert "matplotlib (logging.plots)" in capsys.readouterr().err
