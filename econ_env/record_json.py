"""Conversion of frozen dataclasses to plain JSON data and back, with type hints as the schema.

Supported are ``str``, ``int``, ``float``, ``bool``, ``X | None``, ``Literal``, ``tuple[X, ...]``,
``dict[str, X]`` and further dataclasses. Reading is strict: data that does not fit (edited by
hand, or written by a later version) is refused, and the error names the place. A field that an
earlier version did not write has its default.
"""

from __future__ import annotations

import math
import types
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

AnyRecord = TypeVar("AnyRecord")


def to_plain(value: Any) -> Any:
    """``value`` with dataclasses as dicts (keys in field order) and tuples as lists.

    Raises:
        ValueError: a float is NaN or infinite, which JSON cannot express.
        TypeError: a value has a type without a JSON form here.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no JSON form; records must hold finite numbers")
        return value
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if is_dataclass(value):
        cls: Any = type(value)
        return {name: to_plain(getattr(value, name)) for name in _hints(cls)}
    raise TypeError(f"a record cannot hold {type(value).__name__}")


def from_plain(cls: type[AnyRecord], data: Any, where: str) -> AnyRecord:
    """Rebuild a ``cls`` from the output of :func:`to_plain`.

    Args:
        cls: a dataclass.
        data: plain data, for example from ``json.loads``.
        where: name of ``data`` in error messages, such as ``transcript.decisions[0]``.

    Raises:
        ValueError: a key without a default is missing, one is unknown, or a value does not have its
            type.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{where} must be an object ({cls.__name__}), got {_name(data)}")
    kind: Any = cls
    hints = _hints(kind)
    if unknown := sorted(map(str, data.keys() - hints.keys())):
        raise ValueError(f"{where} has unknown keys: {', '.join(unknown)}")
    optional = {field.name for field in fields(kind) if field.default is not MISSING}
    if missing := [name for name in hints if name not in data and name not in optional]:
        raise ValueError(f"{where} lacks: {', '.join(missing)}")
    given = {name: hint for name, hint in hints.items() if name in data}
    return cls(**{name: _read(hint, data[name], f"{where}.{name}") for name, hint in given.items()})


@cache
def _hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls)}


def _read(hint: Any, data: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        # Every union in a record is "X | None": the other member is the type to read.
        (inner,) = [member for member in arguments if member is not type(None)]
        return None if data is None else _read(inner, data, where)
    if origin is Literal:
        if data not in arguments:
            raise ValueError(f"{where} must be one of {list(arguments)}, got {data!r}")
        return data
    if origin is tuple:
        if not isinstance(data, list):
            raise ValueError(f"{where} must be a list, got {_name(data)}")
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if origin is dict:
        if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
            raise ValueError(f"{where} must be an object with text keys, got {_name(data)}")
        return {key: _read(arguments[1], item, f"{where}[{key!r}]") for key, item in data.items()}
    if is_dataclass(hint):
        cls: Any = hint
        return from_plain(cls, data, where)
    return _read_scalar(hint, data, where)


def _read_scalar(hint: Any, data: Any, where: str) -> Any:
    # type(), not isinstance(): bool is a subclass of int, but True is no number here.
    if hint is float and type(data) is int:
        return float(data)
    if type(data) is not hint:
        raise ValueError(f"{where} must be {hint.__name__}, got {data!r}"[:200])
    if isinstance(data, float) and not math.isfinite(data):
        raise ValueError(f"{where} must be finite, got {data}")
    return data


def _name(data: Any) -> str:
    return type(data).__name__
