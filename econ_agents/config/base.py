"""Settings with ranges: the bounds stand in the type and are checked at construction.

>>> Count = Annotated[int, Bounds(low=1)]
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

from econ_agents.errors import EconAgentsError


class ConfigError(EconAgentsError, ValueError):
    """A setting is wrong; the message is written for the user."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Range of values that a number may take."""

    low: float = -math.inf
    """Least value, allowed unless ``above``."""
    high: float = math.inf
    """Greatest value, allowed."""
    above: bool = False
    """True if a value must be greater than ``low``."""

    def __contains__(self, value: float) -> bool:
        """Return True if ``value`` is finite and within the bounds."""
        reaches_low = value > self.low if self.above else value >= self.low
        return math.isfinite(value) and reaches_low and value <= self.high

    def __str__(self) -> str:
        """Describe the bounds in words that follow "must be"."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"in {'(' if self.above else '['}{self.low:g}, {self.high:g}]"
        if math.isfinite(self.low):
            return f"{'>' if self.above else '>='} {self.low:g}"
        return f"<= {self.high:g}" if math.isfinite(self.high) else "finite"


Count = Annotated[int, Bounds(low=1)]
"""Whole number of things, at least one."""
CountOrZero = Annotated[int, Bounds(low=0)]
Positive = Annotated[float, Bounds(low=0, above=True)]
NonNegative = Annotated[float, Bounds(low=0)]
Fraction = Annotated[float, Bounds(low=0, high=1)]
PositiveFraction = Annotated[float, Bounds(low=0, high=1, above=True)]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A section of the configuration. Its numbers are checked against the bounds in their types.

    Raises:
        ConfigError: a number is out of its range; the message names the key as files and flags do.
    """

    SECTION: ClassVar[str] = ""
    """Path of the section in the configuration, with dots between the names."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self), include_extras=True)
        for field in fields(self):
            value, bounds = getattr(self, field.name), bounds_of(hints[field.name])
            if bounds is not None and value is not None and value not in bounds:
                raise ConfigError(f"{self.key(field.name)} must be {bounds}, got {value!r}")

    @classmethod
    def key(cls, name: str) -> str:
        """Full key of a field: ``train.episodes`` for ``episodes``."""
        return f"{cls.SECTION}.{name}" if cls.SECTION else name


def bounds_of(hint: Any) -> Bounds | None:
    """Bounds in a type such as ``Count`` or ``Count | None``; None if it has none."""
    if get_origin(hint) is Annotated:
        return next((extra for extra in get_args(hint)[1:] if isinstance(extra, Bounds)), None)
    return next(filter(None, map(bounds_of, get_args(hint))), None)
