"""One calculation, written down in every way that leads to the same result."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.questions.arithmetic_steps import Step, place_values

factors = st.integers(1, 999)


def product(left: int, right: int) -> Step:
    return Step(left=left, operation="multiply", right=right, result=left * right)


@given(st.integers(1, 10**6))
def test_place_values_add_up_to_the_number_and_hold_one_digit_each(number):
    parts = place_values(number)
    assert sum(parts) == number
    assert all(len(str(part).rstrip("0")) == 1 for part in parts)


@given(factors, factors)
def test_partial_products_add_up_to_the_product(left, right):
    for parts in product(left, right).partitions:
        assert not parts or sum(parts) == left * right


@given(factors, factors)
def test_every_working_names_the_calculation_first_and_its_result_last(left, right):
    step = product(left, right)
    assert len(set(step.workings)) == len(step.workings) >= 1
    for text in step.workings:
        assert text.startswith(f"{left} * {right} = ")
        assert text.endswith(f" = {step.result}")


@pytest.mark.parametrize(
    ("left", "right", "workings"),
    [
        (
            47,
            63,
            (
                "47 * 63 = 2820 + 141 = 2961",
                "47 * 63 = 2520 + 441 = 2961",
            ),
        ),
        (47, 6, ("47 * 6 = 240 + 42 = 282", "47 * 6 = 282")),
        (40, 60, ("40 * 60 = 2400",)),
        (3, 4, ("3 * 4 = 12",)),
    ],
)
def test_products_are_worked_out_by_the_digits_of_either_factor(left, right, workings):
    assert product(left, right).workings == workings


def test_other_operations_are_worked_out_at_once():
    step = Step(left=300, operation="divide", right=12, result=25)
    assert step.workings == ("300 / 12 = 25",) == (str(step),)
