"""The answer of a response is found where it stands, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.grading.answers import extract
from econ_env.grading.extraction import find_answer, worked_steps


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"12 * 7 = 84 ; 84 + 15 = 99 ; \boxed{99}", "99"),
        (r"First \boxed{12}, no, \boxed{7}. That took 3 steps.", "7"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\left\{1, 2\right\}}", r"\{1, 2\}"),
        (r"\boxed {5} \fbox{6}", "6"),
        (r"\boxed{x = \boxed{5}}", "5"),
        (r"\boxed{3} and \boxed{4", "3"),
        (r"{ } } \boxed{8} {", "8"),
        (r"the answer is 5, or \boxed{6}, or #### 7", "6"),
    ],
)
def test_the_last_balanced_box_comes_first(response: str, answer: str) -> None:
    assert extract(response) == answer


@pytest.mark.parametrize("response", [r"5 \boxed{}", r"\boxed{5} \boxed{ }", r"#### 5 \boxed{~}"])
def test_an_empty_last_box_is_no_answer(response: str) -> None:
    assert extract(response) is None


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"<think>\boxed{5}", None),
        (r"<think>#### 5 the answer is 5, 5", None),
        (r"<think>\boxed{5}</think>", None),
        (r"<think>\boxed{5}</think>\boxed{6}", "6"),
        (r"\boxed{6}<think>so the answer is \boxed{5}", "6"),
        (r"<think>a</think>\boxed{6}<THINK>\boxed{5}</THINK>", "6"),
        (r"<thinking>\boxed{5}</thinking> #### 6", "6"),
        (r"opened by the template \boxed{5}</think> The answer is 6.", "6"),
        (r"<think>\boxed{5</think>} 6", "6"),
        ("2 < 3, so 3", "3"),
    ],
)
def test_nothing_inside_a_think_block_counts(response: str, answer: str | None) -> None:
    assert extract(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("12 eggs\n#### 70,000", "70,000"),
        ("#### 18.", "18"),
        ("#### -5\nDone in 3 steps.", "-5"),
        ("#### 3\n#### 4", "3"),
        ("#### 3\nWait, I forgot one.\n#### 4", "4"),
        ("#### 3 eggs eaten\n#### 13 eggs left", "13 eggs left"),
        (r"#### \frac{1}{2}", r"\frac{1}{2}"),
        ("#### no, since 3 > 2", "no"),
        ("#### Step 4: add 3\nThe answer is 7.", "7"),
        ("#### 1. Add the parts\n3 + 4 = 7", "7"),
        ("the answer is 5\n#### 6", "6"),
    ],
)
def test_hashes_come_next_unless_they_are_a_heading(response: str, answer: str) -> None:
    assert extract(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("The answer is 18 dollars per day. She has 3 left.", "18 dollars per day"),
        ("The answer is $x^2+1$, found in 2 steps.", "x^2+1"),
        (r"**Final Answer**: \(\frac{1}{2}\)", r"\frac{1}{2}"),
        ("Final answer:\n42", "42"),
        ("So the answer is: **42**.", "42"),
        ("The answer is 5 because 2 + 3 is 5 and not 4", "5"),
        ("The answer to the question is 12, not 13", "12"),
        ("The answer is 12 apples and 3 pears", "12"),
        ("The answer is the total of 3 and 15, 18", "18"),
        ("The answer would be 3/4", "3/4"),
        ("The answer is 5. No: the answer is 6.", "6"),
        ("The answer is Evelyn.", "Evelyn"),
        ("The final answer is yes, for 2 reasons.", "yes"),
        ("The answer is 3!", "3!"),
        (r"The answer is $11,\! 111$.", "11,111"),
    ],
)
def test_answer_phrases_come_third(response: str, answer: str) -> None:
    assert extract(response) == answer


@pytest.mark.parametrize(
    "response",
    [
        "-7",
        "70,000",
        "18 dollars per day",
        r"\frac{14}{3}",
        "(3,4]",
        "x = 5",
        "6 - 5i",
        "C",
        "yes",
        r"1 \pm \sqrt{19}",
        r"\text{Evelyn}",
        r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}",
        "2**3",
    ],
)
def test_a_response_that_is_one_value_is_its_own_answer(response: str) -> None:
    assert extract(response) == response


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("She has 3 + 4 = 7 apples.", "7"),
        ("84 + 15 = 99", "99"),
        ("That makes 1,234,567.89 dollars in her account", "1,234,567.89"),
        ("Counting gives 1,2,3 and that is all", "3"),
        ("She walks for 3 1/2 hours each morning", "3 1/2"),
        ("It grows to 50% of the first value", "50%"),
        ("We measured about 2.5e-06 in the end", "2.5e-06"),
        ("We measured about .5 in the end", ".5"),
        (r"unfinished \boxed{5", "5"),
    ],
)
def test_the_last_number_comes_last(response: str, answer: str) -> None:
    assert extract(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("The change comes to -5 there", "-5"),
        ("The change comes to −5 there", "-5"),
        ("The change comes to -$5 there", "-5"),
        ("The change comes to $-5 there", "-5"),
        ("So the change, in all, = - 5 there", "-5"),
        ("There are 10-3 left over", "3"),
        ("There are 10 - 3 left over", "3"),
        ("It was somewhere in 3-5 there", "5"),
        ("Things to buy:\n- 3 apples", "3"),
        ("All in all it is negative 5 there", "-5"),
        ("All in all it is minus 5 there", "-5"),
        ("All in all they have 10 minus 5 there", "5"),
        ("All in all it comes to negative $5 there", "-5"),
    ],
)
def test_a_minus_is_a_sign_where_nothing_stands_before_it(response: str, answer: str) -> None:
    assert extract(response) == answer


@pytest.mark.parametrize(
    "response", ["", "  \n", "I do not know", "No idea", "####", "The answer is"]
)
def test_a_response_without_a_value_has_no_answer(response: str) -> None:
    assert extract(response) is None


_MEGABYTE = 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "\\boxed{",
        "{",
        "}",
        "\\boxed ",
        "<think>",
        "</think>",
        "<think></think>",
        "1",
        "1,",
        "1,111",
        "1 ",
        " ",
        "1/",
        "1 1/",
        "1e",
        ".1",
        "answer ",
        "answer to ",
        "answer is ",
        "answer:",
        "\\",
        "#### 1\n",
        "####",
        "$",
        "$(",
        "\\text{",
        "-",
        "=- ",
        "%",
        "^\\circ",
        "~",
        "١",
        "\n",
        "*",
    ],
)
def test_a_megabyte_of_anything_is_read_in_linear_time(piece: str) -> None:
    # Quadratic work on a megabyte takes hours: that this test ends is what it shows.
    hostile = piece * (_MEGABYTE // len(piece))
    for text in (hostile, "\\boxed{" + hostile + "}"):
        answer = extract(text)
        assert answer is None or answer.strip()


@given(st.text(alphabet=r"\boxed{}<think>/#$ .,-+=%()[]^_0123456789answer is" + "\n", max_size=80))
def test_any_text_gives_an_answer_or_none(text: str) -> None:
    answer = extract(text)
    assert answer is None or (answer and answer == answer.strip())


@given(st.text(max_size=60), st.integers())
def test_what_a_box_holds_is_found_behind_any_text(text: str, value: int) -> None:
    before = text.replace("<", "(")
    assert extract(f"{before} $\\boxed{{{value}}}$") == str(value) or before.endswith("\\")


@pytest.mark.parametrize(
    ("response", "way"),
    [
        (r"#### 4 or \boxed{5}", "boxed"),
        ("#### 4", "hashes"),
        ("The answer is 18. All 3 members agree.", "phrase"),
        ("18", "value"),
        ("3 + 4 = 7 apples", "last_number"),
    ],
)
def test_the_way_in_which_an_answer_was_found_is_told(response: str, way: str) -> None:
    found = find_answer(response)
    assert found is not None
    assert (found.answer, found.way) == (extract(response), way)


@pytest.mark.parametrize(
    ("response", "steps"),
    [
        (r"12 * 7 = 84 ; 84 + 15 = 99 ; \boxed{99}", "12 * 7 = 84 ; 84 + 15 = 99"),
        (r"It is 3 + 4, so $\boxed{7}$. Done.", "It is 3 + 4, so"),
        (r"hence \(\boxed{7}\)", "hence"),
        ("12 eggs\n#### 12", "12 eggs"),
        ("3 + 4 = 7. The answer is **7**.", "3 + 4 = 7. The answer is"),
        ("3 + 4 = 7 apples", "3 + 4 = 7 apples"),
        (r"<think>\boxed{5}</think> 3 + 4 ; \boxed{7}", "3 + 4"),
        ("I cannot say. ", "I cannot say."),
        ("7", ""),
        (r"\boxed{7}", ""),
    ],
)
def test_steps_are_what_precedes_the_statement_of_the_answer(response: str, steps: str) -> None:
    assert worked_steps(response) == steps
