"""Flags from a YAML file: the same names, the same values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import tyro

from benchmarks.comparison.flags import Compare
from econ_agents.config.files import did_you_mean
from econ_agents.config.yaml12 import NotationError, read_yaml
from econ_env.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class _Source:
    config: Path | None = None


def read_flags(arguments: Sequence[str], *, prog: str) -> Compare:
    """The flags of a command line; those of the file that ``--config`` names come first.

    Raises:
        UsageError: the file cannot be read, or a key of it is no flag.
        SystemExit: 0 after help, 2 if a flag has a wrong value (said on stderr).
    """
    source, _ = tyro.cli(_Source, args=arguments, return_unknown_args=True, add_help=False)
    from_file = [] if source.config is None else list(file_arguments(source.config))
    return tyro.cli(Compare, prog=prog, args=[*from_file, *arguments])


def file_arguments(path: Path) -> Iterator[str]:
    """What a command line with the values of ``path`` would be.

    Raises:
        UsageError: the file cannot be read, or a key of it is no flag.
    """
    try:
        values = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config: {path} cannot be read: {error.strerror}") from error
    except (NotationError, UnicodeDecodeError) as error:
        raise UsageError(f"--config: {path}: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"--config: {path} must hold keys and values, as in 'questions: 100'")
    known = [item.name for item in fields(Compare) if item.name != "config"]
    for key, value in values.items():
        if key not in known:
            hint = did_you_mean(str(key), known)
            raise UsageError(f"--config: {path}: unknown key {str(key)!r}; {hint}")
        yield from _flag(str(key), value)


def _flag(key: str, value: Any) -> Iterator[str]:
    """A value of a file as a flag; null is none."""
    flag = f"--{key.replace('_', '-')}"
    if isinstance(value, bool):
        yield flag if value else flag.replace("--", "--no-", 1)
    elif isinstance(value, dict):
        # Of --set, whose values are YAML, and of --price, whose values are two numbers.
        yield flag
        for name, item in value.items():
            pair = key == "price" and isinstance(item, list)
            yield f"{name}={','.join(map(str, item)) if pair else json.dumps(item)}"
    elif isinstance(value, list):
        yield from (flag, *map(str, value))
    elif value is not None:
        yield f"{flag}={value}"
