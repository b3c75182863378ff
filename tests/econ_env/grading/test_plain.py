"""Plain values are read exactly and compared without tolerance."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from econ_env.grading.latex import clean
from econ_env.grading.plain import Group, Number, Word, parse_plain, same_plain


def value_of(text: str) -> Fraction | None:
    plain = parse_plain(clean(text))
    return plain.value if isinstance(plain, Number) else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", 18),
        ("70,000", 70000),
        (r"11,\! 111,\! 111,\! 100", 11111111100),
        (r"\$32,\!348", 32348),
        ("10{,}080", 10080),
        ("-$1.50", Fraction(-3, 2)),
        (".0000672", Fraction(672, 10**7)),
        (r"6.72 \times 10^{-5}", Fraction(672, 10**7)),
        ("6.72e-5", Fraction(672, 10**7)),
        (r"\frac 59", Fraction(5, 9)),
        (r"-\dfrac{35}{9}", Fraction(-35, 9)),
        (r"\frac{-1}{2}", Fraction(-1, 2)),
        ("3/4", Fraction(3, 4)),
        ("3 1/2", Fraction(7, 2)),
        (r"-3\frac12", Fraction(-7, 2)),
        (r"33\frac13\%", Fraction(100, 3)),
        ("50 percent", 50),
        (r"\frac{270}7\text{ degrees}", Fraction(270, 7)),
        (r"90^{\circ}", 90),
        ("18 dollars per day", 18),
        ("$5 million", 5 * 10**6),
        ("2 dozen eggs", 24),
        ("x = 5", 5),
        ("(5)", 5),
        ("2516_{8}", 2516),
    ],
)
def test_numbers_are_read_in_every_common_spelling(text: str, value: Fraction | int) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "5!",
        "5x",
        "5m",
        "2ab",
        "6xyz",
        "6 xyz",
        "2^3",
        "1/0",
        "--5",
        "-$-5",
        "1 23",
        "1 2345",
        "5+3",
        "5 and a half",
        "5 or 6",
        "2 thirds",
        "5 squared",
        "less than 5",
        "5 million and 3",
        "1..2",
        r"3\frac{5}{2}",
        r"\pm 3",
        "1e999",
        "1" * 400,
        "$5 kg",
        "five 5",
        "5 to 6",
        r"\sqrt{4}",
    ],
)
def test_what_is_not_one_plain_number_is_not_read_as_one(text: str) -> None:
    assert value_of(text) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1, -2", "-2,1"),
        (r"\{1, 2\}", "2,1"),
        ("(1, 2)", "1, 2"),
        ("[2,5)", "[2, 5)"),
        ("(1/2, 3)", "(0.5, 3)"),
        ("50%", "50"),
        ("50%", "0.5"),
        ("5 dollars", "$5"),
        ("5 km", "5 kilometers"),
        ("52_8", "52"),
        (r"\text{five}", "5"),
        ("1 234", "1,234"),
        ("1,00,000", "100000"),
        ("True", "yes"),
        ("NO", "false"),
        (r"\text{(C)}", "C"),
        (r"\text{Evelyn}", "evelyn"),
        ("0.333333", "1/3"),
        ("8710408.77", "8710408.772727273"),
        ("3244047.1", "3244047.0999999996"),
        ("9099577.916666666", "9099577.916666667"),
    ],
)
def test_equal_values_in_different_spelling_are_the_same(a: str, b: str) -> None:
    first, second = parse_plain(clean(a)), parse_plain(clean(b))
    assert first is not None
    assert second is not None
    assert same_plain(first, second)
    assert same_plain(second, first)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("5", "-5"),
        ("50", "0.5"),
        ("50%", "5"),
        ("100", "101"),
        ("0.33", "1/3"),
        ("0.33333", "1/3"),
        ("0.333334", "1/3"),
        ("1234.57", "1234.567"),
        ("1234568", "1234567.5"),
        ("8710409", "8710408.772727273"),
        ("8710408.78", "8710408.772727273"),
        ("1234567890123456", "1234567890123457"),
        ("1234567890123.45", "1234567890123.4"),
        ("322886700.01", "322886700.0"),
        ("0.0000672", "0.0000668"),
        ("5 km", "5 miles"),
        ("5 cents", "$5"),
        ("5%", "$5"),
        ("52_7", "52_8"),
        ("x=5", "y=5"),
        ("[2,5)", "(2,5)"),
        ("(2,5]", "(2,5)"),
        ("(1,2)", "(2,1)"),
        (r"\{1,2\}", "(1,2)"),
        ("1,2", "1,2,3"),
        ("1,2", "1"),
        ("yes", "no"),
        ("A", "B"),
        (r"\text{east}", "west"),
        (r"\text{five}", "6"),
        ("Seven Samurai", "7"),
    ],
)
def test_different_values_are_never_the_same(a: str, b: str) -> None:
    first, second = parse_plain(clean(a)), parse_plain(clean(b))
    assert first is not None
    assert second is not None
    assert not same_plain(first, second)
    assert not same_plain(second, first)


def test_the_three_kinds_are_told_apart() -> None:
    assert isinstance(parse_plain("1,234"), Number)
    assert parse_plain("(1,234)") == Group(
        brackets="()",
        items=(parse_plain("1"), parse_plain("234")),  # type: ignore[arg-type]
    )
    assert parse_plain("Evelyn") == Word(text="evelyn")


_INTEGERS = st.integers(min_value=-(10**12), max_value=10**12)


def spellings(value: int) -> list[str]:
    sign, size = ("-" if value < 0 else ""), abs(value)
    return [
        f"{value}",
        f"{value:,}",
        f"{value}.00",
        f"${value}$",
        f"{sign}${size:,}",
        f"{value}.",
        f"**{value}**",
        f"{value} apples",
        f"\\text{{ }}{value}\\text{{ dollars per day}}",
        f"{sign}\\frac{{{2 * size}}}{{2}}",
        f"{value:,}".replace(",", "{,}"),
    ]


@given(_INTEGERS)
def test_every_spelling_of_an_integer_is_that_integer(value: int) -> None:
    assert [value_of(text) for text in spellings(value)] == [value] * len(spellings(value))


@given(_INTEGERS, st.integers(min_value=-1000, max_value=1000))
def test_integers_agree_only_if_they_are_equal(value: int, change: int) -> None:
    a, b = parse_plain(f"{value:,}"), parse_plain(f"{value + change}")
    assert a is not None
    assert b is not None
    assert same_plain(a, b) == (change == 0) == same_plain(b, a)


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_fractions_agree_only_if_they_are_equal(x: Fraction, y: Fraction) -> None:
    assume(x.denominator > 1 and y.denominator > 1)
    a, b = parse_plain(str(x)), parse_plain(str(y))
    assert a is not None
    assert b is not None
    assert same_plain(a, b) == (x == y)
    assert same_plain(a, a)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-999, max_value=999))
def test_decimals_that_can_be_written_out_have_no_tolerance(value: object) -> None:
    a, b = parse_plain(f"{value}"), parse_plain(f"{value}1")
    assert a is not None
    assert b is not None
    assert not same_plain(a, b)
