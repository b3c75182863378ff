"""The folder of a run: which one may begin there, and that one process at a time works on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from econ_agents.config.files import CONFIG_FILE
from econ_agents.config.schema import Config, ConfigError
from econ_agents.logging.metrics_log import JSONL
from econ_agents.training.checkpoint import latest_checkpoint

LOCK_FILE = ".lock"
"""Held while a process works on the run; it stays, and says nothing, when that one has ended."""


def model_dir(config: Config, log_dir: Path) -> Path:
    """Folder of the checkpoints of a run in ``log_dir``."""
    named = config.logging.model_dir
    return log_dir / "checkpoints" if named is None else Path(named)


@contextmanager
def claimed(log_dir: Path) -> Iterator[None]:
    """Be the only process that works on the run in ``log_dir``, which must exist.

    The claim ends with the process, however it ends.

    Raises:
        ConfigError: another process works on it.
    """
    lock = FileLock(log_dir / LOCK_FILE)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise ConfigError(
            f"another process works on the run in {log_dir}: wait for it to end, or choose "
            "another --log-dir"
        ) from error
    try:
        yield
    finally:
        lock.release()


def refuse_used(config: Config, log_dir: Path) -> None:
    """Return if a new run may begin in ``log_dir``.

    Raises:
        ConfigError: there is a run, or checkpoints of one, which a new run would mix with its own.
    """
    if (log_dir / CONFIG_FILE).exists():
        raise ConfigError(
            f"{log_dir} holds a run already: go on with it (econ-agents resume --log-dir "
            f"{log_dir}), or choose another --log-dir"
        )
    folder = model_dir(config, log_dir)
    if latest_checkpoint(folder) is not None:
        raise ConfigError(
            f"{folder} holds the checkpoints of another run: choose another "
            f"{'--log-dir' if config.logging.model_dir is None else '--logging.model-dir'}"
        )


def clear_unused(log_dir: Path) -> None:
    """Remove what a process left behind that ended before its run began: a log without a line."""
    path = log_dir / JSONL
    if path.exists() and not path.stat().st_size:
        path.unlink()
