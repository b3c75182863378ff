"""Fixtures that run an example, and record what its trainer sends to the environment."""

from __future__ import annotations

import runpy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from econ_env import BatchedEconEnv, EconParallelEnv


@dataclass(kw_only=True)
class Played:
    """Record of the actions sent to all environments, and of the lengths of episodes."""

    actions: list[np.ndarray] = field(default_factory=list)
    """Actions of shape (n, 2), or (n, B, 2) if B teams play in one environment."""
    lengths: Counter[int] = field(default_factory=Counter)
    """Number of episodes by their length in rounds."""
    running: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Rounds of the running episode by environment and place in it."""

    def watch_reset(self, reset: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap ``reset`` of an environment, to count rounds from 0 afterwards."""

        def watched(env: Any, *arguments: Any, **settings: Any) -> Any:
            mask = settings.get("mask")
            for owner, place in list(self.running):
                if owner == id(env) and (mask is None or mask[place]):
                    del self.running[owner, place]
            return reset(env, *arguments, **settings)

        return watched

    def watch_step(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap ``step`` of an environment, to record its actions."""

        def watched(env: Any, actions: dict[str, Any]) -> Any:
            self.actions.append(np.stack(list(actions.values())))
            result = step(env, actions)
            agent = env.possible_agents[0]
            ended = np.atleast_1d(result[2][agent] | result[3][agent])
            for place, over in enumerate(ended):
                self.running[id(env), place] += 1
                if over:
                    self.lengths[self.running.pop((id(env), place))] += 1
            return result

        return watched

    def assert_inside_the_box(self) -> None:
        for actions in self.actions:
            assert np.abs(actions).max() <= 1


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    """Record everything that is sent to the environments of a test."""
    played = Played()
    for environment in (EconParallelEnv, BatchedEconEnv):
        monkeypatch.setattr(environment, "step", played.watch_step(environment.step))
        monkeypatch.setattr(environment, "reset", played.watch_reset(environment.reset))
    return played


@pytest.fixture
def examples(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the examples, and put it on the module path, as when one is run."""
    folder = repository / "examples"
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def run_example(examples: Path) -> Callable[..., dict[str, float]]:
    """Run an example with arguments; return the numbers that it prints, by name."""

    def run(name: str, *arguments: str) -> dict[str, float]:
        numbers: dict[str, float] = runpy.run_path(str(examples / name))["main"](list(arguments))
        assert all(np.isfinite(value) for value in numbers.values()), numbers
        return numbers

    return run
