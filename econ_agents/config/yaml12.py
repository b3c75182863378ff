"""YAML without its traps: text that looks like a number is a number, and nothing else is.

PyYAML follows YAML 1.1, where ``1e-3`` is text, ``no`` is false, ``1:30`` is 90, ``010`` is 8 and
a key that is given twice counts once. Here null, true, false and decimal numbers are as in YAML
1.2's core schema, everything else is text, and a key that is given twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

import yaml

from econ_agents.errors import EconAgentsError

MAX_DEPTH = 64
"""Deepest nesting of lists and mappings."""
MAX_VALUES = 100_000
"""Most values in a document, each counted as often as it is referred to."""

_NULL = (r"~|null|Null|NULL|", "~nN\0")
_BOOL = (r"true|True|TRUE|false|False|FALSE", "tTfF")
_INT = (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789")
_FLOAT = (
    r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
    "-+.0123456789",
)
_SCALARS = {"null": _NULL, "bool": _BOOL, "int": _INT, "float": _FLOAT}


class NotationError(EconAgentsError):
    """A text is not valid YAML; the message gives the place, but does not repeat the text."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - a class attribute of PyYAML


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - a class attribute of PyYAML


def read_yaml(text: str) -> Any:
    """Read the plain data in a YAML document.

    Raises:
        NotationError: the text is not valid YAML, has several documents, gives a key twice, or
            holds too much.
    """
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        what = " ".join(filter(None, (error.context, error.problem)))
        raise NotationError(f"{where}{what}") from error
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise NotationError("it holds characters that YAML does not allow") from error
    except RecursionError as error:
        raise NotationError("it is nested too deeply") from error
    _refuse_too_much(data)
    return data


def _refuse_too_much(data: Any) -> None:
    """Refuse data that is deeply nested, or so large that only repeated references explain it."""
    layer, values = [data], 0
    for _ in range(MAX_DEPTH):
        layer = [
            item
            for outer in layer
            if isinstance(outer, (dict, list))
            for item in islice(
                outer.values() if isinstance(outer, dict) else outer, MAX_VALUES - values
            )
        ]
        values += len(layer)
        if values >= MAX_VALUES:
            raise NotationError(f"it holds more than {MAX_VALUES:,} values")
    if layer:
        raise NotationError("it is nested too deeply")


def write_yaml(data: Any) -> str:
    """Write ``data`` as YAML that :func:`read_yaml` turns into equal data.

    Raises:
        NotationError: it is not plain data.
    """
    try:
        return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    except yaml.YAMLError as error:
        raise NotationError("only text, numbers, lists and mappings can be written") from error


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> Mapping[Any, Any]:
    pairs: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, (str, int, float, bool, type(None))):
            raise yaml.constructor.ConstructorError(
                None, None, "a key must be a name", key_node.start_mark
            )
        if key in pairs:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is given twice", key_node.start_mark
            )
        pairs[key] = loader.construct_object(value_node, deep=True)
    return pairs


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
for _name, (_pattern, _first) in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_name}",
            re.compile(rf"^(?:{_pattern})$"),
            ["" if letter == "\0" else letter for letter in _first],
        )
