"""Packages that a run logs and draws with, looked for before anything is played."""

from __future__ import annotations

from importlib.util import find_spec

from econ_agents.config.schema import ConfigError, LoggingSettings


def require_packages(logging: LoggingSettings) -> None:
    """Check that every package is installed which the logs and plots of a run need.

    Raises:
        ConfigError: some are not; all of them are named, with the flags that do without them.
    """
    needed = (
        ("tensorboard", "train", "logging.tensorboard", logging.tensorboard),
        ("matplotlib", "train", "logging.plots", logging.plots),
        ("wandb", "wandb", "logging.wandb", logging.wandb),
    )
    missing = [
        (package, extra, key)
        for package, extra, key, used in needed
        if used and find_spec(package) is None
    ]
    if not missing:
        return
    extras = ",".join(dict.fromkeys(extra for _, extra, _ in missing))
    flags = [f"--{'.no-'.join(key.split('.'))}" for *_, key in missing]
    raise ConfigError(
        f"not installed, but needed by this run: "
        f"{', '.join(f'{package} ({key})' for package, _, key in missing)}. Install with pip "
        f"install 'econ-env[{extras}]', or do without: {' '.join(flags)}"
    )
