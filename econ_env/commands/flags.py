"""The settings of the environment as flags, with the names, defaults and help of EnvConfig."""

from __future__ import annotations

import inspect
import io
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from econ_console.parser_errors import no_such_command
from econ_env.commands.docstrings import attribute_docstrings
from econ_env.config import EnvConfig
from econ_env.errors import UsageError
from econ_env.sampling_action import SamplingAction, SamplingBounds

_Command = TypeVar("_Command")


def with_help(cls: type[_Command]) -> type[_Command]:
    """Decorate a dataclass of flags, so that ``--help`` shows its docstrings as paragraphs.

    The text of a flag is the docstring below its field, in the class or the nearest base class
    that has one, else the docstring of the setting with its name. By default, tyro would keep the
    line breaks of the source.
    """
    said = attribute_docstrings(EnvConfig)
    for base in filter(is_dataclass, reversed(cls.__mro__)):
        said |= attribute_docstrings(base)
    hints = get_type_hints(cls, include_extras=True)
    cls.__annotations__ = {
        name: Annotated[hint, tyro.conf.arg(help=said[name])] if name in said else hint
        for name, hint in hints.items()
    }
    return cls


@contextmanager
def wrapped_help() -> Iterator[None]:
    """Wrap what is printed inside the block, help, to the width of the output (80 in a pipe).

    The parser writes each paragraph of a description as one line, which a terminal breaks.
    """
    if sys.stdout.isatty():
        yield
        return
    buffer = io.BytesIO()
    # With the encoding of the output, by which the parser chooses its frames.
    printed = io.TextIOWrapper(buffer, encoding=sys.stdout.encoding, errors="replace")
    try:
        with redirect_stdout(printed):
            yield
    finally:
        printed.flush()
        width = shutil.get_terminal_size().columns
        for line in buffer.getvalue().decode(printed.encoding).splitlines():
            print(line if len(line) <= width else textwrap.fill(line, width))


_SETTINGS = {field.name for field in fields(EnvConfig)}
_SETTING = re.compile(
    r"(?<![\w./-])(?P<name>[a-z]+(?:_[a-z]+)*)(?P<value>=(?:'[^']*'|\"[^\"]*\"|[\w.-]+))?(?![\w/])"
)
"""Word that may name a setting, perhaps with a value: ``top_p``, ``cache="off"``."""


def with_flags(message: str) -> str:
    """Return a message about settings in the words of the command line.

    >>> with_flags('top_p must be in (0, 1]; set cache="off"')
    '--top-p must be in (0, 1]; set --cache off'
    """

    def as_flag(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        # A bare "seed" or "split" may be an English word, except at the start.
        named = "_" in name or value is not None or not found.start()
        if name not in _SETTINGS or not named:
            return found[0]
        flag = f"--{name.replace('_', '-')}"
        if value is None:
            return flag
        if value in ("=True", "=False"):
            return flag if value == "=True" else f"--no-{flag[2:]}"
        return f"{flag} {value[1:].strip(chr(34) + chr(39))}"

    return _SETTING.sub(as_flag, message)


_FLAG = re.compile(r"--([A-Za-z][\w-]*)")
_OTHER_NAMES = ("extra-header", "query", "omit-field", "price", "help")


def refuse_unknown(arguments: Sequence[str], commands: Mapping[str, Any]) -> None:
    """Refuse an unknown command or flag with the nearest known one.

    Flags of nested commands are left to the parser. A flag is named without its value, which may be
    a pasted key.

    Raises:
        UsageError: there is no such command, or the command has no such flag.
    """
    name = arguments[0] if arguments else ""
    if not name or name.startswith("-"):
        return
    if name not in commands:
        raise UsageError(no_such_command(name, [*commands]))
    known = [field.name.replace("_", "-") for field in fields(commands[name])]
    if "action" in known:
        return
    if "settings" in known:
        known += [field.name.replace("_", "-") for field in fields(EnvFlags)]
    known += _OTHER_NAMES
    for flag in filter(None, map(_FLAG.match, arguments[1:])):
        said = flag[1].replace("_", "-")
        if said not in known and said.removeprefix("no-") not in known:
            near = get_close_matches(said, known, n=1)
            hint = f"did you mean --{near[0]}? " if near else ""
            raise UsageError(
                f"unknown flag {flag[0]}: {hint}econ-env {name} --help lists the flags"
            )


def read_weight(text: str) -> tuple[str, float]:
    """Parse a weight as typed, ``ts=0.4``; ``UsageError`` if it is not one."""
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise UsageError(
            "--reward-weights takes the three components with their weights, such as "
            f"ts=0.4 al=0.4 cc=0.2; got {text!r}"
        ) from None


def read_price(text: str) -> tuple[str, Sequence[float]]:
    """Parse a price as typed, ``MODEL=0.2,0.6``; ``UsageError`` if it is not one."""
    name, _, numbers = text.rpartition("=")
    try:
        pair = [float(number) for number in numbers.split(",")]
    except ValueError:
        pair = []
    if not name or len(pair) != 2:
        raise UsageError(
            "--prices takes a model and its prices in US dollars per million tokens, such as "
            f"together:some/model=0.2,0.6; got {text!r}"
        )
    return name, pair


def read_pair(text: str) -> tuple[str, str]:
    """Parse a header or a parameter as typed, ``NAME=VALUE``; ``UsageError`` if it is not one."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        # Not the text itself: it may be a secret.
        raise UsageError(
            "--extra-headers and --query-parameters take names with values, NAME=VALUE, such as "
            "api-version=2024-10-21"
        )
    return name, value


def read_fields(texts: Sequence[str]) -> Mapping[str, Any]:
    """Parse fields of a request as typed, one JSON object; ``UsageError`` if it is none."""
    try:
        fields_ = json.loads(texts[0]) if len(texts) == 1 else None
    except (ValueError, RecursionError):
        fields_ = None
    if not isinstance(fields_, dict):
        raise UsageError(
            "--extra-body takes one JSON object in quotes, such as "
            '\'{"chat_template_kwargs": {"enable_thinking": false}}\''
        )
    return fields_


_PAIRS = PrimitiveConstructorSpec[Mapping[str, str]](
    nargs="*",
    metavar="NAME=VALUE",
    instance_from_str=lambda texts: dict(map(read_pair, texts)),
    is_instance=lambda value: isinstance(value, Mapping),
    str_from_instance=lambda pairs: [f"{name}={value}" for name, value in pairs.items()],
)
_FIELDS = PrimitiveConstructorSpec[Mapping[str, Any]](
    nargs=1,
    metavar="JSON",
    instance_from_str=read_fields,
    is_instance=lambda value: isinstance(value, Mapping),
    str_from_instance=lambda fields_: [json.dumps(dict(fields_))],
)
_WEIGHTS = PrimitiveConstructorSpec[Mapping[str, float]](
    nargs="*",
    metavar="NAME=WEIGHT",
    instance_from_str=lambda texts: dict(map(read_weight, texts)),
    is_instance=lambda value: isinstance(value, Mapping),
    str_from_instance=lambda weights: [f"{name}={weight}" for name, weight in weights.items()],
)
_PRICES = PrimitiveConstructorSpec[Mapping[str, Sequence[float]]](
    nargs="*",
    metavar="MODEL=P,C",
    instance_from_str=lambda texts: dict(map(read_price, texts)),
    is_instance=lambda value: isinstance(value, Mapping),
    str_from_instance=lambda prices: [
        f"{name}={','.join(map(str, pair))}" for name, pair in prices.items()
    ],
)


@with_help
@dataclass(frozen=True, kw_only=True)
class EnvFlags(EnvConfig):
    """Settings of the environment as typed, not yet checked; see :meth:`env_config`.

    Types are limited to those that can be typed; defaults and docstrings are inherited.
    """

    dataset: str
    llm: Annotated[str | tuple[str, ...], tyro.conf.arg(metavar="MODEL ...")]
    coordinator: str | None
    prompts: Literal["compact", "default", "plain"] | None
    reward_weights: Annotated[
        Annotated[Mapping[str, float], _WEIGHTS] | None,
        tyro.conf.arg(metavar="NAME=WEIGHT ..."),
    ]
    extra_body: Annotated[
        Annotated[Mapping[str, Any], _FIELDS] | None, tyro.conf.arg(metavar="JSON")
    ]
    extra_headers: Annotated[
        Annotated[Mapping[str, str], _PAIRS] | None,
        tyro.conf.arg(metavar="NAME=VALUE ...", aliases=["--extra-header"]),
    ]
    query_parameters: Annotated[
        Annotated[Mapping[str, str], _PAIRS] | None,
        tyro.conf.arg(metavar="NAME=VALUE ...", aliases=["--query"]),
    ]
    omit_fields: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME ...", aliases=["--omit-field"])
    ]
    embedder: str | None
    data_path: Path | None
    cache_path: Path | None
    prices: Annotated[
        Annotated[Mapping[str, Sequence[float]], _PRICES] | None,
        tyro.conf.arg(metavar="MODEL=P,C ...", aliases=["--price"]),
    ]

    def __post_init__(self) -> None:
        """Accept everything: all typed settings are checked together later."""

    def env_config(self) -> EnvConfig:
        """Return the checked settings.

        Raises:
            UsageError: a setting has a wrong value.
            ModelError: a model is unknown, or its price is unknown and needed.
        """
        values = {field.name: getattr(self, field.name) for field in fields(EnvConfig)}
        if isinstance(self.llm, tuple) and len(self.llm) == 1:
            values["llm"] = self.llm[0]
        try:
            return EnvConfig(**values)
        except ValueError as error:
            raise UsageError(with_flags(str(error))) from error


def fixed_point(
    bounds: SamplingBounds, *, temperature: float, repetition_penalty: float
) -> tuple[float, float]:
    """Return the point of the action box for --temperature and --repetition-penalty.

    Raises:
        UsageError: one of them is outside the bounds.
    """
    action = SamplingAction(temperature=temperature, repetition_penalty=repetition_penalty)
    if not bounds.contains(action):
        raise UsageError(
            f"--temperature must be in [{bounds.temperature_min}, {bounds.temperature_max}] and "
            f"--repetition-penalty in [{bounds.repetition_penalty_min}, "
            f"{bounds.repetition_penalty_max}], got {temperature} and {repetition_penalty}"
        )
    return bounds.normalise(action)


def only(*names: str) -> Any:
    """Limit a field of type :class:`EnvFlags` to the flags of these settings.

    >>> settings: Annotated[EnvFlags, only("temperature_min", "temperature_max")]
    """

    def make(**values: Any) -> EnvFlags:
        return EnvFlags(**values)

    hints = get_type_hints(EnvFlags, include_extras=True)
    make.__annotations__ = {name: hints[name] for name in names}
    make.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=hints[field.name],
            )
            for field in fields(EnvFlags)
            if field.name in names
        ]
    )
    return tyro.conf.arg(name="", constructor=make)
