"""Optional sinks for metrics besides ``metrics.jsonl``: TensorBoard and Weights & Biases.

Both libraries are imported at first use, so that a run without these sinks needs neither.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

WandBMode: TypeAlias = Literal["off", "offline", "online"]

WANDB_PROJECT = "econ-agents"


class Sink(Protocol):
    """Destination that gets metrics as they are written."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Take finite ``values`` by name, measured at ``step``."""

    def close(self) -> None:
        """Flush the buffered values and close the sink."""


class TensorBoard:
    """Scalars for TensorBoard, in ``<log_dir>/tensorboard``.

    Args:
        log_dir: the folder of the run.
        resume_at_step: step after which TensorBoard drops earlier writes; None for a new log.

    Raises:
        ImportError: tensorboard is not installed.
    """

    def __init__(self, log_dir: Path, resume_at_step: int | None) -> None:
        writer = _imported(
            "torch.utils.tensorboard",
            "TensorBoard's logs need tensorboard: install it with pip install 'econ-env[train]', "
            "or set logging.tensorboard=false",
        )
        self._writer: Any = writer.SummaryWriter(
            str(log_dir / "tensorboard"),
            purge_step=None if resume_at_step is None else resume_at_step + 1,
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write one scalar for every metric."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush the buffered values and close the sink."""
        self._writer.close()


class WandB:
    """A run of Weights & Biases, in a group with the name of the folder.

    A resumed training is a further run of this group, because W&B takes no step of a run twice.
    W&B reads its login from its own variables (``WANDB_API_KEY``, ``WANDB_ENTITY``).

    Args:
        log_dir: the folder of the run; W&B writes into ``<log_dir>/wandb``.
        mode: ``"offline"`` sends nothing; ``wandb sync`` can send the files later.

    Raises:
        ImportError: wandb is not installed.
    """

    def __init__(self, log_dir: Path, mode: Literal["offline", "online"]) -> None:
        wandb = _imported(
            "wandb",
            "Logs for Weights & Biases need wandb: install it with pip install wandb, or set "
            "logging.wandb=false",
        )
        name = log_dir.resolve().name
        self._run: Any = wandb.init(
            project=WANDB_PROJECT, name=name, group=name, dir=str(log_dir), mode=mode
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add one entry to the run's history."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()


def _imported(module: str, hint: str) -> Any:
    """Import a module; if it is missing, the ImportError says what to do."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{hint} ({error})") from error
