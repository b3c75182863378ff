"""Where metrics go besides ``metrics.jsonl``: TensorBoard and Weights & Biases, if wanted.

Both libraries are imported when they are first used, so that a run without them needs neither.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

WandBMode: TypeAlias = Literal["off", "offline", "online"]

WANDB_PROJECT = "econ-agents"


class Sink(Protocol):
    """Takes metrics as they are written."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Take finite ``values`` by name, measured at ``step``."""

    def close(self) -> None:
        """Write what is still held back."""


class TensorBoard:
    """Scalars in ``<log_dir>/tensorboard``.

    Args:
        log_dir: the folder of the run.
        resume_at_step: TensorBoard forgets what was written after this step; None: nothing was.

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
        """One scalar for every metric."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is still held back."""
        self._writer.close()


class WandB:
    """A run of Weights & Biases, in a group that has the name of the folder.

    A resumed training is a further run of this group, because a run of W&B takes no step twice.
    Who logs in, and where, is W&B's own business (``WANDB_API_KEY``, ``WANDB_ENTITY``).

    Args:
        log_dir: the folder of the run; what W&B writes goes into ``<log_dir>/wandb``.
        mode: ``"offline"`` sends nothing; ``wandb sync`` can send it later.

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
        """One entry of the run's history."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()


def _imported(module: str, hint: str) -> Any:
    """The module; an ImportError says what to do."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{hint} ({error})") from error
