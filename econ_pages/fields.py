"""Typed access to the fields of JSON objects that somebody else wrote."""

from __future__ import annotations

import math
from typing import Any

from econ_pages.errors import PageError


class Fields:
    """A JSON object whose fields are read by type.

    A missing field counts as null, so that files of other versions can be shown.

    Args:
        data: the object.
        where: name of ``data`` in messages, as in ``games.jsonl:3``.

    Raises:
        PageError: ``data`` is no object. Every method raises it, with the place, if a field has
            another type.
    """

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, dict):
            raise PageError(f"{where} must be an object, got {_kind(data)}")
        self._data = data
        self.where = where

    def __contains__(self, name: str) -> bool:
        return self._data.get(name) is not None

    def text(self, name: str) -> str | None:
        """A text, or None."""
        value: str | None = self._typed(name, str, "text")
        return value

    def flag(self, name: str) -> bool:
        """A truth value; False if it is missing."""
        return bool(self._typed(name, bool, "true or false"))

    def number(self, name: str) -> float | None:
        """A finite number, or None."""
        value = self._data.get(name)
        return None if value is None else _number(value, f"{self.where}.{name}")

    def count(self, name: str) -> int:
        """A whole number; 0 if it is missing."""
        value: int | None = self._typed(name, int, "a whole number")
        return value or 0

    def object(self, name: str) -> Fields:
        """An object; an empty one if it is missing."""
        value = self._data.get(name)
        return Fields({} if value is None else value, f"{self.where}.{name}")

    def objects(self, name: str) -> list[Fields]:
        """A list of objects."""
        return [Fields(item, where) for item, where in self._items(name)]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        for item, where in self._items(name):
            if not isinstance(item, str):
                raise PageError(f"{where} must be text, got {_kind(item)}")
        return tuple(item for item, _ in self._items(name))

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of finite numbers."""
        return tuple(_number(item, where) for item, where in self._items(name))

    def names(self) -> list[str]:
        """Names of all fields."""
        return [str(name) for name in self._data]

    def _items(self, name: str) -> list[tuple[Any, str]]:
        value = self._typed(name, list, "a list") or []
        return [(item, f"{self.where}.{name}[{i}]") for i, item in enumerate(value)]

    def _typed(self, name: str, kind: type[Any], said: str) -> Any:
        value = self._data.get(name)
        # type(), not isinstance(): True is an int to Python, but no number in JSON.
        if value is not None and type(value) is not kind:
            raise PageError(f"{self.where}.{name} must be {said}, got {_kind(value)}")
        return value


def _number(value: Any, where: str) -> float:
    if type(value) not in (int, float):
        raise PageError(f"{where} must be a number, got {_kind(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise PageError(f"{where} must be a finite number")
    return number


def _kind(value: Any) -> str:
    names = {str: "text", bool: "true or false", list: "a list", dict: "an object"}
    return "nothing" if value is None else names.get(type(value), "a number")
