"""Flags of the commands: ``--config`` and ``--set`` first, then a flag for every key.

A command line is read twice. The first reading finds the sources of the configuration
(``--config``, ``--set`` and, for commands that work on a trained policy, ``--model-dir``). The
second has a flag for every key, whose default is the value from these sources: help thus shows the
values that hold without a flag. Flags are shown with dashes; underscores are accepted as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from econ_agents.config.environment import EnvSettings
from econ_agents.config.environment_kwargs import environment_kwargs
from econ_agents.config.files import config_keys, did_you_mean, read_config
from econ_agents.config.schema import Config, ConfigError, Phase
from econ_agents.config.yaml12 import NotationError, read_yaml
from econ_agents.training.inspection import find_checkpoint, saved_config, stored_config
from econ_console.parser_errors import errors_in_one_line

PROGRAM = "econ-agents"
_WITHOUT_A_FLAG = {
    "train": "name a configuration with --config NAME",
    "resume": "name the run with --log-dir RUN",
    "report": "one run is reported at a time",
}
"""Advice about an argument with no flag before it, for commands without ``--model-dir RUN``."""
_UNNAMED = "not:named"
"""Factory that nobody names."""

Assignments = Annotated[
    tuple[tuple[str, ...], ...],
    tyro.conf.UseAppendAction,
    tyro.conf.arg(metavar="KEY=VALUE ...", help_behavior_hint="(repeatable)"),
]
"""Values of a repeatable flag, as in ``--set a=1 b=2 --set c=3``."""

_FLAG = re.compile(r"--([A-Za-z][\w.-]*)")
_NEGATION = re.compile(r"(?<=\.)no-")
_MAPPINGS = tuple(key for key in config_keys() if isinstance(attrgetter(key)(Config()), Mapping))
"""Keys that hold mappings. Each entry has a flag of its own: ``--env.kwargs.NAME``."""
_registry = ConstructorRegistry()


@dataclass(frozen=True, kw_only=True)
class Configured:
    """Flags shared by all commands that have a configuration."""

    config: str | None = None
    """A preset or a YAML file whose keys replace those of the checkpoint."""
    set: Assignments = ()
    """Keys with values in YAML, as in train.episodes=200 or env.kwargs.data_path=rows.jsonl.
    A flag for the same key wins."""
    log_dir: Path | None = None
    """Folder for the output, short for --logging.log-dir."""
    allow_key_for: Annotated[tuple[str, ...], tyro.conf.arg(metavar="HOST ...")] = ()
    """Hosts, besides the server's own, that may get the key of a model server's kind, for example
    OPENAI_API_KEY: HOST or HOST:PORT. Over https or on this machine only."""
    settings: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)

    def resolved(self) -> Config:
        """Return the configuration after every flag; ``ConfigError`` if it contradicts itself."""
        config = self.settings
        if self.log_dir is not None:
            logging = replace(config.logging, log_dir=str(self.log_dir))
            config = replace(config, logging=logging)
        for phase in get_args(Phase):
            environment_kwargs(config, phase)
        return config

    def factory(self) -> str:
        """Return the factory of the environment, ``"package.module:callable"``."""
        return self.settings.env.factory


@dataclass(frozen=True, kw_only=True)
class NamedFactory:
    """The factory of the environment in the user's own words."""

    factory: str | None = None
    """Callable that makes the environment, written "package.module:callable". It must be named
    again if it is not of econ_env, because a checkpoint or a run may come from somebody else."""


@dataclass(frozen=True, kw_only=True)
class _Sources:
    """Flags that the first reading looks for."""

    config: str | None = None
    model_dir: Path | None = None
    set: Assignments = ()
    env: NamedFactory = field(default_factory=NamedFactory)


AnyCommand = TypeVar("AnyCommand")


def parse(command: AnyCommand, name: str, arguments: Sequence[str]) -> AnyCommand:
    """Return a command with the values of its arguments.

    Args:
        command: the command with its defaults.
        name: name of the command, for messages.
        arguments: the arguments after the name.

    Raises:
        ConfigError: a source of the configuration is wrong, a flag has a wrong value, or an
            argument is unknown.
        CheckpointError: there is no checkpoint in ``--model-dir``.
        SystemExit: 0 after help.
    """
    with errors_in_one_line(f"{PROGRAM} {name}", ConfigError):
        return _parsed(command, name, arguments)


def _parsed(command: AnyCommand, name: str, arguments: Sequence[str]) -> AnyCommand:
    named: dict[str, Any] = {}
    if isinstance(command, Configured):
        arguments, named = _without_named(arguments)
    else:
        _refuse_settings(name, arguments, _flags_of(command))
    refuse_unknown(arguments, _flags_of(command))
    if isinstance(command, Configured):
        command = replace(command, settings=_settings(command.config, arguments))
    parsed, unknown = tyro.cli(
        type(command),
        prog=f"{PROGRAM} {name}",
        args=arguments,
        default=command,
        return_unknown_args=True,
        registry=_registry,
    )
    if unknown:
        raise ConfigError(_belongs_to_no_flag(name, arguments, unknown[0]))
    if isinstance(parsed, Configured) and named:
        parsed = replace(parsed, settings=read_config(None, values=named, base=parsed.settings))
    return parsed


def _belongs_to_no_flag(command: str, arguments: Sequence[str], unknown: str) -> str:
    """Return the message about an argument, by the flag before it, or by the command.

    The argument is not repeated: it may be a key, pasted to the wrong place.
    """
    before = arguments[: arguments.index(unknown)] if unknown in arguments else ()
    flag = next((one for one in reversed(before) if _FLAG.fullmatch(one)), None)
    if flag is not None:
        return (
            f"an argument after {flag} belongs to no flag (a flag for true or false takes none: "
            "--train.use-replay or --train.no-use-replay); --help lists the flags"
        )
    advice = _WITHOUT_A_FLAG.get(command, "name the run with --model-dir RUN")
    return f"an argument belongs to no flag: {advice}; --help lists the flags"


def _without_named(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Split off flags such as ``--env.kwargs.NAME``: all other arguments, and these values by key.

    Raises:
        ConfigError: such a flag has no value, or one that is not valid YAML.
    """
    others: list[str] = []
    named: dict[str, Any] = {}
    words = iter(arguments)
    for word in words:
        flag = _FLAG.match(word)
        key = flag[1].replace("-", "_") if flag else ""
        if flag is None or not any(key.startswith(f"{mapping}.") for mapping in _MAPPINGS):
            others.append(word)
            continue
        _, equals, text = word.partition("=")
        text = text if equals else next(words, "--")
        if not equals and text.startswith("--"):
            raise ConfigError(f"{flag[0]} needs a value, in YAML")
        try:
            named[key] = read_yaml(text)
        except NotationError as error:
            raise ConfigError(f"{flag[0]}: {error}") from error
    return others, named


def _settings(preset: str | None, arguments: Sequence[str]) -> Config:
    """Read the configuration below the flags: checkpoint, ``--config`` or preset, ``--set``."""
    found, _ = tyro.cli(_Sources, args=arguments, return_unknown_args=True, add_help=False)
    source = found.config if found.config is not None else preset
    assignments = [each for group in found.set for each in group]
    if found.model_dir is None:
        return read_config(source, assignments)
    checkpoint = find_checkpoint(found.model_dir.expanduser())
    factory = found.env.factory
    if factory is None:
        # The user may also name it in an assignment or in a file of their own.
        unnamed = replace(saved_config(checkpoint), env=EnvSettings(factory=_UNNAMED))
        said = read_config(source, assignments, base=unnamed).env.factory
        factory = None if said == _UNNAMED else said
    return read_config(source, assignments, base=stored_config(checkpoint, factory=factory))


def _flags_of(command: Any) -> list[str]:
    """Names of a command's flags."""
    own = [item.name for item in fields(command) if not is_dataclass(getattr(command, item.name))]
    if isinstance(getattr(command, "env", None), NamedFactory):
        own.append("env.factory")
    return [*own, *(config_keys() if isinstance(command, Configured) else ())]


def _refuse_settings(command: str, arguments: Sequence[str], names: Sequence[str]) -> None:
    """Refuse flags for keys of the configuration, and say where they belong.

    Their values are not repeated, as in :func:`refuse_unknown`.
    """
    keys = {key.replace("_", "-") for key in config_keys()} - {
        name.replace("_", "-") for name in names
    }
    for flag in filter(None, map(_FLAG.match, arguments)):
        if flag[1].replace("_", "-") in keys:
            raise ConfigError(
                f"{flag[0]} cannot be changed here: {command} takes the settings of the run. "
                f"{PROGRAM} train --config RUN/config.yaml {flag[0]} VALUE begins another run"
            )


def refuse_unknown(arguments: Sequence[str], names: Sequence[str]) -> None:
    """Refuse unknown flags, naming only the flag: its value may be a pasted API key.

    The parser's own message would repeat the whole argument.

    Args:
        arguments: arguments of a command.
        names: names of its flags, written as field names without dashes.

    Raises:
        ConfigError: a flag is not among these names.
    """
    known = [name.replace("_", "-") for name in ("help", *names)]
    for flag in filter(None, map(_FLAG.match, arguments)):
        name = flag[1].replace("_", "-")
        if name not in known and _NEGATION.sub("", name) not in known:
            raise ConfigError(f"unknown flag {flag[0]}; {did_you_mean(name, known, prefix='--')}")


@_registry.primitive_rule
def _mapping_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Mapping[str, Any]] | None:
    """Make a flag for a mapping, which takes the whole mapping in YAML."""
    if get_origin(info.type) is not Mapping:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="YAML",
        instance_from_str=_read_mapping,
        is_instance=lambda value: isinstance(value, Mapping),
        str_from_instance=lambda value: [json.dumps(value)],
    )


def _read_mapping(arguments: list[str]) -> Mapping[str, Any]:
    try:
        value = read_yaml(arguments[0])
    except NotationError as error:
        raise ValueError(str(error)) from error
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError("must be a mapping in YAML, as in '{name: value}'")
    return value
