"""Flags from the command line and from a YAML file: the same names, the same values."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import tyro

from benchmarks.comparison.flags import NOT_COMPARED, Compare
from econ_agents.config.environment import EnvSettings
from econ_agents.config.environment_kwargs import environment_kwargs
from econ_agents.config.files import did_you_mean
from econ_agents.config.values import MismatchError, convert
from econ_agents.config.yaml12 import NotationError, read_yaml
from econ_agents.rollouts.placement import Placement
from econ_agents.training.checkpoint import CheckpointError
from econ_agents.training.inspection import find_checkpoint, saved_config
from econ_console.parser_errors import errors_in_one_line
from econ_env.commands.flags import wrapped_help
from econ_env.errors import UsageError

_OF_A_PROCESS = frozenset(
    {"cache", "cache_path", "max_requests", "max_total_tokens", "max_cost_usd", "seed"}
)
"""Settings of a run that its comparison does not take over."""
_OF_THE_COMMAND_LINE = frozenset({"config", *(field.name for field in fields(Placement))})
"""Flags that no file can set: which cluster is trusted is not for the author of a file to say."""
_ABOUT_ROWS = frozenset(
    {"data_path", "subset", "revision", "question_field_name", "answer_field_name"}
)
"""Settings for the rows of one data set, which make no sense for another."""
_FLAG = re.compile(r"--([A-Za-z][\w-]*)")


@dataclass(frozen=True, kw_only=True)
class _Sources:
    config: Path | None = None
    model_dir: str | None = None
    dataset: str | None = None
    llm: tuple[str, ...] = ()


def read_flags(arguments: Sequence[str], *, prog: str) -> Compare:
    """Return the flags of a command line; they override those of the file given by ``--config``.

    Without a file, the game of a run given by ``--model-dir`` is played: its data set, models and
    settings are the defaults of the flags.

    Raises:
        UsageError: the file cannot be read, a key or a value of it is wrong, a flag has a wrong
            value, or an argument belongs to no flag.
        SystemExit: 0 after help.
    """
    with errors_in_one_line(prog, UsageError):
        sources, _ = tyro.cli(_Sources, args=arguments, return_unknown_args=True, add_help=False)
    if sources.config is not None:
        chosen = file_values(sources.config.expanduser())
    else:
        chosen = _of_the_run(sources)
    with errors_in_one_line(prog, UsageError), wrapped_help():
        flags, unknown = tyro.cli(
            Compare,
            prog=prog,
            args=arguments,
            default=Compare(**chosen),
            return_unknown_args=True,
        )
    if unknown:
        # Name the flag only: its value may be a secret pasted into the wrong place.
        flag = next(filter(None, map(_FLAG.match, unknown)), None)
        if flag is None:
            raise UsageError("an argument belongs to no flag; --help lists the flags")
        name = flag[1].replace("-", "_").removeprefix("no_")
        if name in NOT_COMPARED:
            raise UsageError(f"{flag[0]} is not a flag here: {NOT_COMPARED[name]}")
        hint = did_you_mean(flag[1].replace("_", "-"), _names("-"), prefix="--")
        raise UsageError(f"unknown flag {flag[0]}; {hint} --help lists all flags")
    return flags


def _of_the_run(sources: _Sources) -> dict[str, Any]:
    """Return the values of the run that is compared, without those that others replace."""
    if sources.model_dir is None:
        return {}
    replaced = _ABOUT_ROWS if sources.dataset is not None else frozenset()
    if sources.llm:
        replaced |= {"coordinator"}
    return run_values(Path(sources.model_dir), without=replaced)


def run_values(model_dir: Path, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return the values of a trained team's own game by flag name, those of its test.

    There are none if no team is there, which is said once a method needs it, or if its environment
    is not the one of this package.

    Args:
        model_dir: a checkpoint, a folder of checkpoints, or a run.
        without: names of settings that are left out.

    Raises:
        UsageError: a setting has another type.
    """
    try:
        config = saved_config(find_checkpoint(model_dir.expanduser()))
    except CheckpointError:
        return {}
    if config.env.factory != EnvSettings.factory:
        return {}
    hints = get_type_hints(Compare)
    taken = set(_names("_")) - _OF_A_PROCESS - set(without)
    own = environment_kwargs(config, "test").items()
    try:
        return {name: _as_typed(value, hints[name]) for name, value in own if name in taken}
    except MismatchError as error:
        raise UsageError(f"--model-dir: {model_dir} holds a setting that {error}") from error


def file_values(path: Path) -> dict[str, Any]:
    """Return the values of ``path`` by flag name; a null value counts as left out.

    Raises:
        UsageError: the file cannot be read, a key is not a flag, or a value has another type.
    """
    try:
        values = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config: {path} cannot be read: {error.strerror}") from error
    except (NotationError, UnicodeDecodeError) as error:
        raise UsageError(f"--config: {path}: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"--config: {path} must hold keys and values, as in 'questions: 100'")
    hints = get_type_hints(Compare)
    known = [name for name in _names("_") if name not in _OF_THE_COMMAND_LINE]
    read = {}
    for key, value in values.items():
        if key in NOT_COMPARED:
            raise UsageError(f"--config: {path}: {key} is not a key here: {NOT_COMPARED[key]}")
        if key not in known:
            hint = did_you_mean(str(key), known)
            raise UsageError(f"--config: {path}: unknown key {str(key)!r}; {hint}")
        if value is None:
            continue
        try:
            read[key] = _as_typed(value, hints[key])
        except MismatchError as error:
            raise UsageError(f"--config: {path}: {key} {error}") from error
    return read


def _names(separator: str) -> list[str]:
    """Return the names of the flags, with dashes or underscores."""
    names = [field.name for field in fields(Compare) if field.name not in NOT_COMPARED]
    return [name.replace("_", separator) for name in names]


def _as_typed(value: Any, hint: Any) -> Any:
    """Convert a value of a file to its flag's type: a single item to a tuple, a text to a path."""
    if Path in get_args(hint):
        return Path(convert(value, str))
    if get_origin(hint) is tuple and not isinstance(value, list):
        value = [value]
    value = convert(value, hint)
    for option in get_args(hint):
        if get_origin(option) is Mapping:
            _, item = get_args(option)
            return {name: _entry(each, item) for name, each in value.items()}
    return value


def _entry(value: Any, hint: Any) -> Any:
    """Convert a weight of ``reward_weights``, a header, a field, or the two prices of a model."""
    if hint is Any:
        return value
    if hint in (float, str):
        return convert(value, hint)
    return list(convert(value, tuple[float, ...]))
