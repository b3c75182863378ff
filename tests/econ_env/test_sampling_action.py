"""Actions in the box and sampling settings are two names for the same thing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.sampling_action import SamplingAction, SamplingBounds

BOUNDS = SamplingBounds()
in_box = st.floats(-1, 1)


def test_corners_and_centre_of_the_box() -> None:
    low, high, centre = BOUNDS.to_sampling([[-1, -1], [1, 1], [0, 0]])
    assert low == SamplingAction(temperature=0.0, repetition_penalty=0.8)
    assert high == SamplingAction(temperature=2.0, repetition_penalty=1.5)
    assert centre.temperature == pytest.approx(1.0)
    assert centre.repetition_penalty == pytest.approx(1.15)


@given(in_box, in_box)
def test_normalise_inverts_to_sampling(a: float, b: float) -> None:
    warm = SamplingBounds(temperature_min=0.1)
    (action,) = warm.to_sampling([a, b])
    assert warm.normalise(action) == pytest.approx((a, b), abs=1e-12)


@pytest.mark.parametrize(("action", "temperature"), [(-1, 0), (-0.96, 0), (-0.94, 0.06)])
def test_policies_that_only_approach_the_edge_reach_greedy_decoding(
    action: float, temperature: float
) -> None:
    (sampling,) = BOUNDS.to_sampling([action, 0.0])
    assert sampling.temperature == pytest.approx(temperature)


def test_a_box_without_zero_is_never_greedy() -> None:
    (sampling,) = SamplingBounds(temperature_min=0.01).to_sampling([-1.0, 0.0])
    assert sampling.temperature == 0.01


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-9, 9))
def test_every_finite_point_lands_inside_the_bounds(a: float, b: float) -> None:
    (action,) = BOUNDS.to_sampling(np.array([a, b]))
    assert 0.0 <= action.temperature <= 2.0
    assert 0.8 <= action.repetition_penalty <= 1.5


def test_leading_axes_are_flattened_in_c_order() -> None:
    points = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 2, 2)
    flat = BOUNDS.to_sampling(points)
    assert len(flat) == 6
    assert flat[3] == BOUNDS.to_sampling(points[1, 1])[0]


def test_an_interval_without_width_is_the_centre() -> None:
    fixed = SamplingBounds(temperature_min=0.7, temperature_max=0.7)
    (action,) = fixed.to_sampling([0.9, 0.0])
    assert action.temperature == 0.7
    assert fixed.normalise(action)[0] == 0.0


@given(in_box, in_box)
def test_rounded_actions_are_near_and_inside_the_bounds(a: float, b: float) -> None:
    bounds = SamplingBounds(temperature_min=0.105, repetition_penalty_max=1.495, digits=2)
    (exact,) = SamplingBounds(temperature_min=0.105, repetition_penalty_max=1.495).to_sampling(
        [a, b]
    )
    (rounded,) = bounds.to_sampling([a, b])
    assert rounded.temperature == pytest.approx(exact.temperature, abs=0.00501)
    assert rounded.repetition_penalty == pytest.approx(exact.repetition_penalty, abs=0.00501)
    assert 0.105 <= rounded.temperature <= 2.0
    assert 0.8 <= rounded.repetition_penalty <= 1.495


def test_points_that_differ_in_their_last_bits_become_one_rounded_action() -> None:
    point = np.array([0.31, -0.2], dtype=np.float32)
    moved = np.nextafter(point, np.float32(1))
    rounded = SamplingBounds(digits=2)
    assert BOUNDS.to_sampling(point) != BOUNDS.to_sampling(moved)
    assert rounded.to_sampling(point) == rounded.to_sampling(moved)
    assert rounded.to_sampling(point) == [SamplingAction(temperature=1.31, repetition_penalty=1.08)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_names_its_row(bad: float) -> None:
    with pytest.raises(ValueError, match="row 1"):
        BOUNDS.to_sampling([[0.0, 0.0], [0.0, bad]])


@pytest.mark.parametrize("shape", [(), (3,), (2, 1), (2, 3)])
def test_a_wrong_shape_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        BOUNDS.to_sampling(np.zeros(shape))


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature_min": 2.0, "temperature_max": 1.0},
        {"temperature_min": -0.1},
        {"temperature_max": math.inf},
        {"repetition_penalty_min": 0.0},
        {"repetition_penalty_max": math.nan},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"digits": -1},
        {"digits": 16},
    ],
)
def test_impossible_bounds_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"temperature|repetition_penalty|top_p|digits"):
        SamplingBounds(**arguments)
