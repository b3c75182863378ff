"""Flags from the configuration: a file and assignments first, then every key as a flag.

A command line is read twice. The first reading finds what the configuration starts from
(``--config``, ``--set`` and, for commands that work on a trained policy, ``--model-dir``); the
second has a flag for every key, whose default is what was found. Help therefore shows the values
that hold without a flag. Flags are written with dashes, and understood with underscores as well.
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

from econ_agents.config.environment_kwargs import environment_kwargs
from econ_agents.config.files import config_keys, did_you_mean, read_config
from econ_agents.config.schema import Config, ConfigError, Phase
from econ_agents.config.yaml12 import NotationError, read_yaml
from econ_agents.training.inspection import find_checkpoint, stored_config

PROGRAM = "econ-agents"

Assignments = Annotated[
    tuple[tuple[str, ...], ...],
    tyro.conf.UseAppendAction,
    tyro.conf.arg(metavar="KEY=VALUE ...", help_behavior_hint="(repeatable)"),
]
"""``--set a=1 b=2 --set c=3``."""

_FLAG = re.compile(r"--([A-Za-z][\w.-]*)")
_NEGATION = re.compile(r"(?<=\.)no-")
_MAPPINGS = tuple(key for key in config_keys() if isinstance(attrgetter(key)(Config()), Mapping))
"""Keys that hold values by name, each of which has a flag of its own: ``--env.kwargs.NAME``."""
_registry = ConstructorRegistry()


@dataclass(frozen=True, kw_only=True)
class Configured:
    """What the commands share that have a configuration."""

    config: str | None = None
    """A preset or a YAML file whose keys replace those of the checkpoint."""
    set: Assignments = ()
    """Keys with values in YAML, as in train.episodes=200 or env.kwargs.data_path=rows.jsonl: the
    same as flags, which win over them."""
    log_dir: Path | None = None
    """Folder for what is written: short for --logging.log-dir."""
    settings: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)

    def resolved(self) -> Config:
        """The configuration after every flag; ``ConfigError`` if it contradicts itself."""
        config = self.settings
        if self.log_dir is not None:
            logging = replace(config.logging, log_dir=str(self.log_dir))
            config = replace(config, logging=logging)
        for phase in get_args(Phase):
            environment_kwargs(config, phase)
        return config

    def factory(self) -> str:
        """What makes the environment that is played."""
        return self.settings.env.factory


@dataclass(frozen=True, kw_only=True)
class _Sources:
    """What the first reading looks for."""

    config: str | None = None
    model_dir: Path | None = None
    set: Assignments = ()


AnyCommand = TypeVar("AnyCommand")


def parse(command: AnyCommand, name: str, arguments: Sequence[str]) -> AnyCommand:
    """The command with what its arguments say.

    Args:
        command: with its defaults.
        name: of the command, for messages.
        arguments: those after the name.

    Raises:
        ConfigError: a source of the configuration is wrong, or an argument is unknown.
        CheckpointError: there is no checkpoint in ``--model-dir``.
        SystemExit: 0 after help, 2 if a flag has a wrong value (said on stderr).
    """
    named: dict[str, Any] = {}
    if isinstance(command, Configured):
        arguments, named = _without_named(arguments)
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
        # They are not repeated: one may be a key, pasted to the wrong place.
        raise ConfigError(
            "there is an argument that belongs to no flag (a flag for true or false takes none: "
            "--train.use-replay or --train.no-use-replay); --help lists the flags"
        )
    if isinstance(parsed, Configured) and named:
        parsed = replace(parsed, settings=read_config(None, values=named, base=parsed.settings))
    return parsed


def _without_named(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Split arguments into those without flags such as ``--env.kwargs.NAME``, and these by key.

    Raises:
        ConfigError: such a flag has no value, or one that is no YAML.
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
    """What holds without flags for keys: of the checkpoint, ``--config`` or preset, ``--set``."""
    found, _ = tyro.cli(_Sources, args=arguments, return_unknown_args=True, add_help=False)
    model = None if found.model_dir is None else find_checkpoint(found.model_dir)
    return read_config(
        found.config if found.config is not None else preset,
        [each for group in found.set for each in group],
        base=None if model is None else stored_config(model),
    )


def _flags_of(command: Any) -> list[str]:
    """The names of a command's flags."""
    own = [item.name for item in fields(command) if not is_dataclass(getattr(command, item.name))]
    return [*own, *(config_keys() if isinstance(command, Configured) else ())]


def refuse_unknown(arguments: Sequence[str], names: Sequence[str]) -> None:
    """Raise for an unknown flag, by its name alone: what follows ``=`` may be a pasted key.

    The parser's own message would repeat the whole argument.

    Args:
        arguments: those of a command.
        names: of its flags, as those of fields: without dashes.

    Raises:
        ConfigError: a flag is none of these.
    """
    known = [name.replace("_", "-") for name in ("help", *names)]
    for flag in filter(None, map(_FLAG.match, arguments)):
        name = flag[1].replace("_", "-")
        if name not in known and _NEGATION.sub("", name) not in known:
            raise ConfigError(f"unknown flag {flag[0]}; {did_you_mean(name, known, prefix='--')}")


@_registry.primitive_rule
def _mapping_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Mapping[str, Any]] | None:
    """A flag for a mapping: it takes the whole of it, in YAML."""
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
