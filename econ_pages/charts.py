"""Charts as SVG, drawn in the colours of the page, which follow its light or dark scheme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.etree.ElementTree import Element, SubElement, tostring

from econ_pages.text import visible

COLOURS = 8
"""Number of colours of the page, which repeat with another dash after that many."""

MOST_PLACES = 80
"""Most places of a curve that are drawn: one for every few pixels."""

_Place: TypeAlias = tuple[float, float]

_WIDTH, _HEIGHT = 360.0, 210.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 12.0, 38.0
_CHARACTER = 6.8
"""Width of a digit of a tick, rather more than it has in any common font."""
_ROW = 34.0
"""Height of a row of a chart of intervals."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One curve: points in the order of x."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    """Lower bounds of an interval around ``y``, drawn as a band; empty for none."""
    high: Sequence[float] = ()
    points: Sequence[float] = ()
    """Single measurements at ``x``, drawn faintly behind the curve; empty for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A horizontal line to compare curves with, and its interval."""

    label: str
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A part of the x axis with a name, drawn shaded."""

    label: str
    start: float
    end: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Curves over one axis."""

    title: str
    x_label: str
    """Name and unit of the x axis."""
    y_label: str
    """Name and unit of the y axis."""
    series: Sequence[Series]
    levels: Sequence[Level] = ()
    spans: Sequence[Span] = ()
    limits: tuple[float, float] | None = None
    """Range of the y axis; None takes that of the values."""
    box: tuple[float, float] | None = None
    """Bounds that values cannot leave, drawn as lines at the edges; None if there are none."""

    def legend(self) -> list[tuple[str, str, str]]:
        """Label, kind (``curve``, ``level``, ``span`` or ``box``) and key of all that is drawn."""
        named = [
            *((series.label, "curve", f"{_style(i)}") for i, series in enumerate(self.series)),
            *((level.label, "level", f"v{i % 3}") for i, level in enumerate(self.levels)),
            *((span.label, "span", "span") for span in self.spans),
            *([("range allowed", "box", "box")] if self.box is not None else []),
        ]
        return [(label, kind, _key(kind, style)) for label, kind, style in named if label]

    def svg(self) -> str:
        """The chart as an SVG element, its texts escaped."""
        xs = [x for series in self.series for x in series.x]
        xs += [x for span in self.spans for x in (span.start, span.end)]
        x_axis = _Axis.around(xs, _LEFT, _WIDTH - _RIGHT, tight=True)
        y_axis = _Axis.around(self._heights(), _HEIGHT - _BOTTOM, _TOP, limits=self.limits)
        svg = _canvas(f"{self.title}: {self.y_label} over {self.x_label}", _HEIGHT)
        for span in self.spans:
            left, right = x_axis.place(span.start), x_axis.place(span.end)
            _add(
                svg,
                "rect",
                "span",
                x=left,
                y=_TOP,
                width=max(right - left, 0.0),
                height=_HEIGHT - _BOTTOM - _TOP,
            )
        _draw_axes(svg, x_axis, y_axis, self.x_label)
        for bound in self.box or ():
            y = y_axis.place(bound)
            _add(svg, "line", "box", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y)
        for i, level in enumerate(self.levels):
            self._draw_level(svg, level, f"v{i % 3}", y_axis)
        for i, series in enumerate(self.series):
            _draw_series(svg, series, _style(i), x_axis, y_axis)
        return _markup(svg)

    def _heights(self) -> list[float]:
        found = [
            value
            for series in self.series
            for values in (series.y, series.low, series.high, series.points)
            for value in values
        ]
        for level in self.levels:
            found += [value for value in (level.y, level.low, level.high) if value is not None]
        return [*found, *(self.box or ())]

    @staticmethod
    def _draw_level(svg: Element, level: Level, style: str, y_axis: _Axis) -> None:
        if level.low is not None and level.high is not None:
            top, bottom = y_axis.place(level.high), y_axis.place(level.low)
            _add(
                svg,
                "rect",
                f"level-band {style}",
                x=_LEFT,
                y=top,
                width=_WIDTH - _RIGHT - _LEFT,
                height=bottom - top,
            )
        y = y_axis.place(level.y)
        _add(svg, "line", f"level {style}", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y)


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A measured value with its interval."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Intervals:
    """Values with their intervals, one row each."""

    title: str
    x_label: str
    """Name and unit of the axis."""
    rows: Sequence[Estimate]
    zero: bool = False
    """True to mark zero, as for differences."""

    @property
    def y_label(self) -> str:
        """Nothing: the rows carry their names."""
        return ""

    def legend(self) -> list[tuple[str, str, str]]:
        """Nothing: the rows carry their names."""
        return []

    def svg(self) -> str:
        """The chart as an SVG element, its texts escaped."""
        height = _TOP + _ROW * len(self.rows) + _BOTTOM
        values = [value for row in self.rows for value in (row.low, row.high)]
        axis = _Axis.around([*values, *([0.0] if self.zero else [])], 16.0, _WIDTH - 16.0)
        svg = _canvas(f"{self.title}: {self.x_label}", height)
        bottom = height - _BOTTOM
        for tick, label in axis.ticks():
            x = axis.place(tick)
            _add(svg, "line", "grid", x1=x, x2=x, y1=_TOP, y2=bottom)
            _add(svg, "text", "tick", x=x, y=bottom + 14, anchor="middle", text=label)
        for i, row in enumerate(self.rows):
            y = _TOP + _ROW * (i + 0.72)
            if self.zero:
                # Beside the intervals, below the labels of the rows.
                x = axis.place(0.0)
                _add(svg, "line", "axis", x1=x, x2=x, y1=y - 6, y2=min(y + 11, bottom))
            left, right = axis.place(row.low), axis.place(row.high)
            _add(svg, "line", f"interval {_style(i)}", x1=left, x2=right, y1=y, y2=y)
            _add(svg, "circle", f"dot {_style(i)}", cx=axis.place(row.value), cy=y, r=4.5)
            value, low, high = (_number(each, 1) for each in (row.value, row.low, row.high))
            said = f"{row.label}: {value} ({low} to {high})"
            _add(svg, "text", "row", x=16.0, y=y - 10, anchor="start", text=said)
        middle = _WIDTH / 2
        _add(svg, "text", "name", x=middle, y=height - 6, anchor="middle", text=self.x_label)
        return _markup(svg)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Axis:
    """Affine map from values to places, with round ticks."""

    low: float
    high: float
    start: float
    """Place of ``low`` in the drawing."""
    end: float

    @classmethod
    def around(
        cls,
        values: Sequence[float],
        start: float,
        end: float,
        *,
        tight: bool = False,
        limits: tuple[float, float] | None = None,
    ) -> _Axis:
        """Axis that shows all values, with a margin unless it is tight or has limits."""
        low, high = limits or (min(values, default=0.0), max(values, default=1.0))
        if high - low < 1e-9 * max(abs(low), abs(high), 1e-3):
            margin = max(abs(low) * 0.1, 0.05)
        else:
            margin = 0.0 if tight else 0.04 * (high - low)
        return cls(low=low - margin, high=high + margin, start=start, end=end)

    def place(self, value: float) -> float:
        """Place of a value in the drawing."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Three to six round values with their labels."""
        raw = (self.high - self.low) / 6
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
        digits = max(0, -math.floor(math.log10(step) + 1e-9) + (step / power == 2.5))
        first, last = math.ceil(self.low / step - 1e-6), math.floor(self.high / step + 1e-6)
        values = [i * step for i in range(first, last + 1)]
        return [(value, _number(value, digits)) for value in values]


def _number(value: float, digits: int) -> str:
    if abs(value) >= 1e6 or digits > 4:
        return f"{value:.3g}" if value else "0"
    return f"{value:,.{digits}f}".replace("-", "\u2212")


def _draw_axes(svg: Element, x_axis: _Axis, y_axis: _Axis, x_label: str) -> None:
    bottom = _HEIGHT - _BOTTOM
    for tick, label in y_axis.ticks():
        y = y_axis.place(tick)
        _add(svg, "line", "grid", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y)
        _add(svg, "text", "tick", x=_LEFT - 6, y=y + 3.5, anchor="end", text=label)
    for tick, label in x_axis.ticks():
        x = x_axis.place(tick)
        _add(svg, "line", "axis", x1=x, x2=x, y1=bottom, y2=bottom + 4)
        # A label under the end of the axis is moved to stay inside the drawing.
        middle = min(x, _WIDTH - len(label) * _CHARACTER / 2)
        _add(svg, "text", "tick", x=middle, y=bottom + 15, anchor="middle", text=label)
    _add(svg, "line", "axis", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=bottom, y2=bottom)
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    _add(svg, "text", "name", x=middle, y=_HEIGHT - 6, anchor="middle", text=x_label)


def _draw_series(svg: Element, series: Series, style: str, x_axis: _Axis, y_axis: _Axis) -> None:
    places = [x_axis.place(x) for x in series.x]
    if series.low and series.high:
        upper = _thinned(list(zip(places, map(y_axis.place, series.high), strict=True)))
        lower = _thinned(list(zip(places, map(y_axis.place, series.low), strict=True)))
        _add(svg, "polygon", f"band {style}", points=_points([*upper, *reversed(lower)]))
    if series.points:
        # Strokes of no length with round ends: a fifth of the size of as many circles.
        dots = zip(places, map(y_axis.place, series.points), strict=False)
        drawn = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in dots)
        SubElement(svg, "path", {"class": f"point {style}", "d": drawn})
    curve = _thinned(list(zip(places, map(y_axis.place, series.y), strict=True)))
    _add(svg, "polyline", f"curve {style}", points=_points(curve))
    if len(curve) == 1:
        _add(svg, "circle", f"dot {style}", cx=curve[0][0], cy=curve[0][1], r=3.5)


def _thinned(curve: list[_Place]) -> list[_Place]:
    """At most :data:`MOST_PLACES` places of a curve, about evenly, its ends among them."""
    if len(curve) <= MOST_PLACES:
        return curve
    step = (len(curve) - 1) / (MOST_PLACES - 1)
    return [curve[round(i * step)] for i in range(MOST_PLACES)]


def _style(index: int) -> str:
    """Classes for the colour and the dash of a curve."""
    return f"c{index % COLOURS} d{index // COLOURS % 4}"


def _key(kind: str, style: str) -> str:
    """Draw a short sample of a line or an area, for a legend."""
    svg = Element("svg", {"class": "key", "viewBox": "0 0 22 10", "aria-hidden": "true"})
    if kind == "span":
        _add(svg, "rect", "span", x=0.0, y=0.0, width=22.0, height=10.0)
    else:
        _add(svg, "line", f"{kind} {style}", x1=0.0, x2=22.0, y1=5.0, y2=5.0)
    return _markup(svg)


def _canvas(label: str, height: float) -> Element:
    return Element(
        "svg",
        {
            "class": "chart",
            "viewBox": f"0 0 {_WIDTH:g} {height:g}",
            "role": "img",
            "aria-label": visible(label),
        },
    )


def _add(
    parent: Element,
    tag: str,
    style: str,
    *,
    anchor: str = "",
    text: str = "",
    points: str = "",
    **places: float,
) -> None:
    child = SubElement(parent, tag, {"class": style})
    for name, value in places.items():
        child.set(name, f"{value:.1f}".removesuffix(".0"))
    if points:
        child.set("points", points)
    if anchor:
        child.set("text-anchor", anchor)
    if text:
        child.text = visible(text)


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _markup(svg: Element) -> str:
    return tostring(svg, encoding="unicode")
