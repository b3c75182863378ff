"""Some texts are turned away before any formula is read."""

from __future__ import annotations

import pytest

from econ_env.grading.limits import is_excessive, is_no_formula


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "9^{9^{9}}",
        "5^(5^(5^(5^5)))",
        "(9^9)^(9^9)",
        "99999999!",
        "(99999999)!",
        "2**9999999999",
        "x^{99999}",
        "10^{-99999}",
        r"\sqrt{2^{\sqrt{9}^{99}}}",
        r"\sqrt[3]{9}^{\left(9^{9}\right)}",
        r"9^{\frac{9^{9}}{1}}",
        "x^{9^{9^{9}}}",
        "2^{99!}",
        "(10^9)!",
        "(99!)!",
        r"\binom{10^9}{5*10^8}",
        r"\dbinom{5 \cdot 10^{9}}{2}",
        r"{1000000 \choose 500000}",
        "1" * 1000,
    ],
)
def test_values_too_large_to_write_down_are_turned_away(text: str) -> None:
    assert is_excessive(text)


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{1}{2004!}",
        "1/2^{99}",
        "x^{2^3}",
        "e^{-x^2}",
        "2^{10}",
        "2^{2^3}",
        "(2^3)^2",
        "2^{3!}",
        r"\sqrt{2}^{4} + 10000000",
        r"x^{2}1000000",
        r"2^{2} 3^{2} 5^{2}",
        r"\frac{\binom{50}{25}}{1000000}",
        r"\binom{2^{10}}{2}",
        "3^2 + 4^2",
        "2x^{100}",
        "n!",
    ],
)
def test_powers_and_factorials_of_answers_pass(text: str) -> None:
    assert not is_excessive(text)


@pytest.mark.parametrize("text", ["__import__('os')", "`ls`", 'open("x")', "it's five", "a@b"])
def test_code_and_quotes_are_no_formula(text: str) -> None:
    assert is_no_formula(text)


@pytest.mark.parametrize("text", ["f'(x)", "x_1 + x_2", r"\{1, 2\}", "5!", r"\text{(C)}", "a''"])
def test_formulas_are_not_mistaken_for_code(text: str) -> None:
    assert not is_no_formula(text)
