"""The folder of a run: checks before a run begins in it, and a lock for one process at a time."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from econ_agents.config.files import CONFIG_FILE, read_config
from econ_agents.config.schema import Config, ConfigError
from econ_agents.environments.trusted import flag_of, how_to_trust, is_trusted
from econ_agents.logging.metrics_log import JSONL
from econ_agents.training.checkpoint import latest_checkpoint
from econ_agents.training.inspection import CHECKPOINTS, excessive_size

LOCK_FILE = ".lock"
"""Lock held while a process works on the run. The file stays afterwards and means nothing then."""


def model_dir(config: Config, log_dir: Path) -> Path:
    """Folder of the checkpoints of a run in ``log_dir``."""
    named = config.logging.model_dir
    return log_dir / CHECKPOINTS if named is None else Path(named).expanduser()


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


@contextmanager
def removed_if_unused(log_dir: Path) -> Iterator[None]:
    """Remove a new folder, whose lock is held, if an error leaves nothing else than the lock."""
    try:
        yield
    except BaseException:
        if [path.name for path in log_dir.iterdir()] == [LOCK_FILE]:
            (log_dir / LOCK_FILE).unlink()
            log_dir.rmdir()
        raise


def read_run_config(log_dir: Path) -> Config:
    """Read the configuration of the run in ``log_dir`` as it is saved.

    Raises:
        ConfigError: there is no run, or its configuration is damaged.
    """
    path = log_dir / CONFIG_FILE
    if not path.is_file():
        raise ConfigError(f"{log_dir} is not the folder of a run: it has no {CONFIG_FILE}")
    return read_config(path)


def playable_config(log_dir: Path, factory: str | None, checkpoints: Path | None) -> Config:
    """Read the configuration of a run that is resumed, as far as it may decide.

    The folder may be a copy, or come from somebody else. So it leads nowhere else, and it names
    only a trusted factory of the environment.

    Args:
        log_dir: folder of the run.
        factory: factory that the user named; None: none.
        checkpoints: folder of the checkpoints that the user named; None: none.

    Raises:
        ConfigError: there is no run, it asks for huge sizes, the user has not named its factory or
            the folder of its checkpoints, or the folder holds something else than files and
            folders of its own.
    """
    config = read_run_config(log_dir)
    huge = excessive_size(config)
    if huge is not None:
        raise ConfigError(f"{log_dir / CONFIG_FILE} asks for {huge}")
    if factory is None and not is_trusted(config.env.factory):
        raise ConfigError(
            f"the run in {log_dir} plays another environment: {how_to_trust(config.env.factory)}"
        )
    if factory not in (None, config.env.factory):
        raise ConfigError(
            f"the run in {log_dir} plays {config.env.factory!r}, and --env.factory is {factory!r}: "
            "a run goes on in its own environment"
        )
    named = config.logging.model_dir
    if named is not None and not _lies_in(model_dir(config, log_dir), log_dir):
        if checkpoints is None or checkpoints.resolve() != model_dir(config, log_dir).resolve():
            raise ConfigError(
                f"the run in {log_dir} keeps its checkpoints elsewhere: add --model-dir {named} "
                "if that folder is yours"
            )
    elif checkpoints is not None and checkpoints.resolve() != model_dir(config, log_dir).resolve():
        raise ConfigError(
            f"the run in {log_dir} keeps its checkpoints in {model_dir(config, log_dir)}, and not "
            f"in {checkpoints}: leave out --model-dir"
        )
    _refuse_ways_out(log_dir)
    return config


def how_to_resume(config: Config, log_dir: Path) -> str:
    """Return the command that resumes a run."""
    command = f"econ-agents resume --log-dir {shlex.quote(str(log_dir))}"
    named = config.logging.model_dir
    if named is not None and not _lies_in(model_dir(config, log_dir), log_dir):
        command += f" --model-dir {shlex.quote(named)}"
    return command + flag_of(config.env.factory)


def _lies_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _refuse_ways_out(log_dir: Path) -> None:
    """Raise ``ConfigError`` if the folder holds a link that leads out of it, a pipe or a device."""
    for folder, folders, files in os.walk(log_dir):
        for path in (Path(folder, name) for name in (*folders, *files)):
            if path.is_symlink() and not _lies_in(path, log_dir):
                raise ConfigError(
                    f"{path} leads out of the folder of the run, which would be written to there: "
                    "put the file or folder itself in its place"
                )
            if not (path.is_file() or path.is_dir() or path.is_symlink()):
                raise ConfigError(f"{path} is neither a file nor a folder: remove it")


def refuse_used(config: Config, log_dir: Path) -> None:
    """Check that a new run may begin in ``log_dir``.

    Raises:
        ConfigError: there is a run already, or checkpoints that would mix with those of a new run.
    """
    if (log_dir / CONFIG_FILE).exists():
        raise ConfigError(
            f"{log_dir} holds a run already: go on with it (econ-agents resume --log-dir "
            f"{shlex.quote(str(log_dir))}), or choose another --log-dir"
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
