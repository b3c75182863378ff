"""Conversion and checks: values in files and flags against the types of the settings.

These checks and their messages are kept on purpose in place of a library for configurations: a
message names the key as it was typed and the values that it takes, in one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from econ_agents.errors import EconAgentsError

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "null",
}


class MismatchError(EconAgentsError):
    """A value does not have the type of its setting; the message continues after the key."""


def convert(value: Any, hint: Any) -> Any:
    """Convert ``value`` to the type of a setting: lists to tuples, whole numbers to floats.

    Args:
        value: the value in the file.
        hint: the type of a field of :class:`~econ_agents.config.base.Settings`.

    Raises:
        MismatchError: it has another type, or is out of range.
    """
    if not accepts(value, hint):
        raise MismatchError(f"must be {describe(hint)}, got {show(value)}")
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return convert(value, next(option for option in args if accepts(value, option)))
    if origin is Annotated:
        return convert(value, args[0])
    if origin is tuple:
        return tuple(convert(item, args[0]) for item in value)
    return float(value) if hint is float else value


def accepts(value: Any, hint: Any) -> bool:
    """Return True if ``value`` has the type and is in its range."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(accepts(value, option) for option in args)
    if origin is Annotated:
        return accepts(value, args[0]) and all(value in bounds for bounds in args[1:])
    if origin is Literal:
        return isinstance(value, str) and value in args
    if origin is tuple:
        return isinstance(value, (list, tuple)) and all(accepts(item, args[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)
    if hint is float:
        return type(value) in (int, float) and isfinite(value)
    return type(value) is hint


def describe(hint: Any) -> str:
    """Describe the values of a type in words that follow "must be"."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(describe(option) for option in args)
    if origin is Annotated:
        return f"{describe(args[0])} {args[1]}"
    if origin is Literal:
        return " or ".join(map(repr, args))
    if origin is tuple:
        return f"a list of {describe(args[0])}"
    return "a mapping of names to values" if origin is Mapping else _WORDS[hint]


def show(value: Any) -> str:
    """Write a value as it stands in a file, shortened for an error message."""
    words = {True: "true", False: "false", None: "null"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
