"""Charts as SVG."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_pages.charts import MOST_PLACES, Chart, Estimate, Intervals, Level, Series, Span


def drawn(chart: Chart | Intervals) -> Element:
    return fromstring(chart.svg())  # noqa: S314 - our own drawing


def texts(svg: Element) -> list[str]:
    return [each.text or "" for each in svg.iter("text")]


def chart(*series: Series, **changes: object) -> Chart:
    settings: dict[str, object] = {"title": "Accuracy", "x_label": "episodes", "y_label": "%"}
    return Chart(series=series, **settings | changes)  # type: ignore[arg-type]


def test_axes_have_names_and_round_ticks() -> None:
    found = texts(drawn(chart(Series(label="a", x=[0, 300, 600], y=[0, 40, 100]))))
    assert "episodes" in found
    assert {"0", "200", "400", "600"} <= set(found)
    assert {"0", "20", "40", "60", "80", "100"} <= set(found)


def test_labels_of_runs_and_models_are_text() -> None:
    label = "<script>alert(1)</script>\u202e\x1b"
    picture = chart(Series(label=label, x=[0, 1], y=[0, 1]), title=label, x_label=label)
    svg = picture.svg()
    assert "<script" not in svg
    assert "\u202e" not in svg
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩␛" in svg


def test_everything_drawn_has_a_key_and_no_key_is_empty() -> None:
    picture = chart(
        Series(label="team", x=[0, 1], y=[0, 1]),
        Series(label="", x=[0, 1], y=[0, 1]),
        levels=[Level(label="test", y=0.5, low=0.4, high=0.6)],
        spans=[Span(label="warm-up", start=0, end=0.5)],
        box=(0, 2),
    )
    assert [label for label, _, _ in picture.legend()] == [
        *("team", "test", "warm-up"),
        "range allowed",
    ]


def test_intervals_and_measurements_stand_with_their_curve() -> None:
    svg = drawn(
        chart(Series(label="a", x=[0, 1], y=[1, 2], low=[0, 1], high=[2, 3], points=[1, 2]))
    )
    assert len(svg.findall("polygon")) == 1
    (dots,) = (each for each in svg.iter("path") if each.get("class", "").startswith("point"))
    assert dots.get("d", "").count("M") == 2


def test_a_long_curve_is_drawn_in_few_places_from_end_to_end() -> None:
    x = list(range(5000))
    (line,) = drawn(chart(Series(label="a", x=x, y=x))).findall("polyline")
    places = line.get("points", "").split()
    assert len(places) == MOST_PLACES
    assert (places[0].split(",")[0], places[-1].split(",")[0]) == ("52.0", "348.0")


def test_a_measured_value_is_named_beside_its_interval() -> None:
    row = Estimate(label="trained", value=65.5, low=58.7, high=71.7)
    found = texts(drawn(Intervals(title="Test", x_label="%", rows=[row])))
    assert "trained: 65.5 (58.7 to 71.7)" in found


def test_the_line_of_zero_stands_beside_intervals_and_runs_through_no_label() -> None:
    rows = [Estimate(label=f"row {i}", value=1, low=-1, high=2) for i in range(3)]
    svg = drawn(Intervals(title="Differences", x_label="points", rows=rows, zero=True))
    zero = [
        (float(line.get("y1", "")), float(line.get("y2", "")))
        for line in svg.iter("line")
        if line.get("class") == "axis"
    ]
    dots = [float(dot.get("cy", "")) for dot in svg.iter("circle")]
    baselines = [
        float(text.get("y", "")) for text in svg.iter("text") if text.get("class") == "row"
    ]
    assert len(zero) == len(dots) == len(baselines) == 3
    for (top, bottom), dot, baseline in zip(zero, dots, baselines, strict=True):
        assert baseline < top < dot < bottom
    for (_, bottom), below in zip(zero, baselines[1:], strict=False):
        assert bottom < below - 11, "the height of the letters"


finite = st.floats(-1e12, 1e12)


@given(st.lists(st.tuples(st.integers(0, 10**9), finite), min_size=1, max_size=6))
def test_every_curve_lies_inside_its_drawing(points: list[tuple[int, float]]) -> None:
    points.sort()
    svg = drawn(chart(Series(label="a", x=[x for x, _ in points], y=[y for _, y in points])))
    (line,) = svg.findall("polyline")
    _, _, width, height = map(float, svg.get("viewBox", "").split())
    for place in line.get("points", "").split():
        x, y = map(float, place.split(","))
        assert 0 <= x <= width
        assert 0 <= y <= height


@pytest.mark.parametrize("value", [0.0, 1e-9, 5.0, -3e8])
def test_a_curve_that_never_moves_is_drawn(value: float) -> None:
    svg = drawn(chart(Series(label="a", x=[0, 10], y=[value, value])))
    assert len([text for text in texts(svg) if text]) >= 4
