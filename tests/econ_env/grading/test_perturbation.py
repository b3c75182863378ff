"""A perturbed answer is another value, whatever the answer is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.grading.answers import Verdict, grade_answer
from econ_env.grading.perturbation import perturbed


@pytest.mark.parametrize(
    ("answer", "other"),
    [
        ("18", "19"),
        ("-1", "0"),
        ("1,999", "2000"),
        ("-9867630.5", "-9867629.5"),
        ("3244047.0999999996", "3244048.0999999996"),
        ("-0.25", "0.75"),
        ("0.000002", "1.000002"),
        ("3/4", "7/4"),
        (r"\frac{1}{2}", "3/2"),
        ("$5", "6"),
        ("50%", "51"),
        ("yes", "no"),
        ("no", "yes"),
        ("B", "C"),
        ("Z", "A"),
        ("Evelyn", "not evelyn"),
        ("(3, 4)", "(4, 4)"),
        ("x^2 + 1", "x^3 + 1"),
        (r"\sqrt{51}", r"\sqrt{52}"),
        ("p - q", "p - q + 1"),
    ],
)
def test_every_kind_of_answer_is_changed_in_its_own_way(answer: str, other: str) -> None:
    assert perturbed(answer) == other
    assert grade_answer(other, answer) is Verdict.INCORRECT


@given(st.one_of(st.integers().map(str), st.decimals(-(10**9), 10**9, places=4).map(str)))
def test_a_perturbed_number_is_never_graded_correct(number: str) -> None:
    assert grade_answer(perturbed(number), number) is Verdict.INCORRECT


@given(st.floats(-(10**12), 10**12))
def test_the_noise_that_floats_may_differ_by_is_smaller_than_a_perturbation(value: float) -> None:
    assert grade_answer(perturbed(format(value, "f")), format(value, "f")) is Verdict.INCORRECT
