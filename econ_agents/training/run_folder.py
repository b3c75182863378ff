"""The folder of a run: checks before a run begins in it, and a lock for one process at a time."""

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
"""Lock held while a process works on the run. The file stays afterwards and means nothing then."""


def model_dir(config: Config, log_dir: Path) -> Path:
    """Folder of the checkpoints of a run in ``log_dir``."""
    named = config.logging.model_dir
    return log_dir / "checkpoints" if named is None else Path(named)


@contextmanager
def claimed(log_dir: Path) -> Iterator[None]:
    """Hold the lock of the run in ``log_dir``, which must exist, while the context is open.

    The lock is released when the process ends, in whatever way it ends.

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
    """Check that a new run may begin in ``log_dir``.

    Raises:
        ConfigError: there is a run already, or checkpoints that would mix with those of a new run.
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
    """Remove the empty log of a process that ended before its run began."""
    path = log_dir / JSONL
    if path.exists() and not path.stat().st_size:
        path.unlink()
