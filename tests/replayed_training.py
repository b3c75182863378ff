"""Train and test the recorded example in a process that cannot ask a model.

``python -m tests.replayed_training RECORDING LOG_DIR SHAKE KEY=VALUE...``: no library that sends
requests or runs a language model can be imported, the bundled weights are missing,
and a connection is an error. SHAKE is the size of the random move of every action of the policy.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np

import econ_env.llm.registry
from benchmarks.record_example import CONFIG, assignments
from econ_agents.algorithm.policy import TeamPolicy
from econ_agents.commands.cli import main as econ_agents


def refuse(*arguments: Any) -> Any:
    """Refuse a connection."""
    raise AssertionError(f"a replay connects to {arguments[-1]}")


def shake(distance: float) -> None:
    """Move every action of the policy at random, much further than another processor would."""
    propose, rng = TeamPolicy._propose, np.random.default_rng(0)

    def shaken(policy: TeamPolicy, observations: Any) -> Any:
        actions = propose(policy, observations)
        moved = actions + rng.uniform(-distance, distance, actions.shape)
        return moved.astype(np.float32)

    TeamPolicy._propose = shaken  # type: ignore[assignment,method-assign]


def main() -> int:
    """Train, then test; return the exit code of the first failure."""
    recording, log_dir, distance, *changes = sys.argv[1:]
    for name in ("requests", "transformers"):
        assert name not in sys.modules
        # What Python does on "import requests" from now on is to raise ImportError.
        sys.modules[name] = None  # type: ignore[assignment]
    econ_env.llm.registry._BUNDLED_WEIGHTS = Path("nowhere")
    socket.socket.connect = refuse  # type: ignore[method-assign]
    shake(float(distance))
    sets = ["--set", *assignments(Path(recording), "replay"), *changes, "--log_dir", log_dir]
    return econ_agents(["train", "--config", str(CONFIG), *sets]) or econ_agents(
        ["test", "--model_dir", log_dir, *sets]
    )


if __name__ == "__main__":
    sys.exit(main())
