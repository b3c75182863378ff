"""A coordinator's reply is read with tolerance, and the way of reading is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.game.intake import MAX_ANSWER_CHARACTERS
from econ_env.game.parsing import (
    MAX_STRATEGY_CHARACTERS,
    count_pieces,
    guard_strategy,
    parse_commitment,
    states_value,
    whole_steps,
    within_tokens,
)

CLEAN = (
    '{"reason": "12 * 7 = 84", "value": "84", "confidence": 0.67, '
    '"checklist": {"agree": false, "arithmetic": true, "units": true}}'
)


def read(text: str) -> tuple[str | None, str]:
    """Value and parse method."""
    commitment = parse_commitment(text)
    return commitment.value, commitment.parse_method


def test_a_clean_reply_is_read_completely() -> None:
    commitment = parse_commitment(CLEAN)
    assert commitment.value == "84"
    assert commitment.reason == "12 * 7 = 84"
    assert commitment.confidence == 0.67
    assert commitment.checklist == {"agree": False, "arithmetic": True, "units": True}
    assert commitment.parse_method == "json"


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
    st.integers(),
    st.floats(0, 1),
    st.booleans(),
)
def test_every_well_formed_object_is_read_as_json(
    reason: str, value: int, confidence: float, agree: bool
) -> None:
    data = {
        "reason": reason,
        "value": value,
        "confidence": confidence,
        "checklist": {"agree": agree},
    }
    for ensure_ascii in (True, False):
        commitment = parse_commitment(json.dumps(data, ensure_ascii=ensure_ascii))
        assert commitment.parse_method == "json"
        assert commitment.value == str(value)
        assert commitment.confidence == confidence
        assert commitment.checklist == {"agree": agree}
        assert commitment.reason == reason.strip()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0.10", "0.10"),
        ("1e5", "1e5"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("-7", "-7"),
        ("true", "true"),
        ("false", "false"),
        ('" 7 apples "', "7 apples"),
        ("[1, 2]", "1, 2"),
        ('["7"]', "7"),
        ('{"value": 7}', "7"),
        (r'"\\boxed{\\frac{1}{2}}"', r"\frac{1}{2}"),
        (r'"\\frac{1}{2}"', r"\frac{1}{2}"),
        ('"½ → 5 €"', "½ → 5 €"),
    ],
)
def test_values_are_the_text_that_was_written(written: str, value: str) -> None:
    assert read(f'{{"reason": "r", "value": {written}, "confidence": 1}}') == (value, "json")


def test_of_equal_keys_the_last_counts() -> None:
    assert read('{"value": 1, "reason": "r", "value": 2}') == ("2", "json")


@pytest.mark.parametrize(
    ("written", "confidence"),
    [
        ("0.25", 0.25),
        ('"0.25"', 0.25),
        ('"90%"', 0.9),
        ("1", 1.0),
        ("85", 0.85),
        ("100", 1.0),
        ('"1%"', 0.01),
        ('"0.5 %"', 0.005),
        ("101", None),
        ('"150%"', None),
        ("-3", None),
        ("1e999", None),
        ("NaN", None),
        ('"nan"', None),
        ("Infinity", None),
        ("null", None),
        ("true", None),
        ('"high"', None),
        ("[1]", None),
    ],
)
def test_confidence_is_a_number_from_0_to_1_or_missing(
    written: str, confidence: float | None
) -> None:
    text = f'{{"reason": "r", "value": 7, "confidence": {written}}}'
    assert parse_commitment(text).confidence == confidence


def test_a_checklist_holds_only_true_and_false() -> None:
    text = '{"value": 7, "checklist": {"agree": true, "units": "yes", "arithmetic": 1}}'
    assert parse_commitment(text).checklist == {"agree": True}
    assert parse_commitment('{"value": 7, "checklist": [true]}').checklist == {}


@pytest.mark.parametrize("piece", ['{a: "', "{value: \"{reason: '", '{"a": {', '{"a": [{'])
def test_texts_that_hold_one_another_a_thousand_times_are_read_without_recursion(
    piece: str,
) -> None:
    parse_commitment(piece * 3000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"```json\n{CLEAN}\n```", "84"),
        (f"Here is my conclusion:\n{CLEAN}\nHope it helps with all 99 questions.", "84"),
        ('{"reason": "r", "value": 84, "confidence": 0.5,}', "84"),
        ("{'reason': 'it is Anna's', 'value': '84', 'checklist': {'agree': True,}}", "84"),
        ("{reason: because, value: 84, confidence: 1}", "84"),
        ('{"reason": "he said "7" apples, so 8", "value": 84}', "84"),
        (r'{"reason": "r", "value": "\frac{1}{2}"}', r"\frac{1}{2}"),
        (r'{"reason": "r", "value": "\boxed{84}"}', "84"),
        (r'{"reason": "\(x\)", "value": "\dfrac{1}{2}"}', r"\dfrac{1}{2}"),
        (r'{"reason": "r", "value": "3 \times 4"}', r"3 \times 4"),
        (r'{"reason": "r", "value": "x \neq 4"}', r"x \neq 4"),
        ('{"reason": "r", "value": "84", "confidence": 0.9, "checklist": {"agree": tr', "84"),
        ('{"reason": "r", "value": "84', "84"),
        ('{"reason": "r", "value": 84', "84"),
        ('{"reason": "r", "value": $1,234, "confidence": 1}', "$1,234"),
        ('{"reason": "r", "value": 3/4}', "3/4"),
        ('{"reason": "a\nb", "value": "84"}', "84"),
        ('{"answer": "84", "confidence": 0.9}', "84"),
        ('{"value": 1} no, better: {"value": 84}', "84"),
        ('{"value": 84} {"note": 1}', "84"),
    ],
)
def test_a_damaged_object_is_repaired(text: str, value: str) -> None:
    assert read(text) == (value, "repaired")


def test_a_repaired_object_keeps_its_other_entries() -> None:
    commitment = parse_commitment(f"```\n{CLEAN[:-2]},}},}}\n```")
    assert commitment.reason == "12 * 7 = 84"
    assert commitment.confidence == 0.67
    assert commitment.checklist == {"agree": False, "arithmetic": True, "units": True}


@pytest.mark.parametrize(
    ("text", "value", "method"),
    [
        (r"So it is \boxed{84}, not 99.", "84", "boxed"),
        (r"\boxed{1} then \boxed{\frac{3}{4}}", r"\frac{3}{4}", "boxed"),
        (r"\boxed{84} and \boxed{broken", "84", "boxed"),
        ("It costs $1,234.50 in 3 shops: 5 - 2 = 1,200.", "1,200", "last_number"),
        ("about -3/4", "-3/4", "last_number"),
        ("5-3", "5-3", "last_number"),
        # In a broken object the reason is read, never the confidence behind it.
        ('{"reason": "3 + 4 = 7", "confidence": 0.9}', "7", "last_number"),
        ('{"reason": "so 3 + 4 = 7 and', "7", "last_number"),
        (r'{"reason": "it is \boxed{7} of 9', "7", "boxed"),
        ('{"value": null, "confidence": 0.9}', None, "none"),
        ('{"value": null, "reason": "none 5"}', None, "none"),
        ('{"value": {"a": {"b": 1}}, "confidence": 0.9}', None, "none"),
        ('{"value": "", "confidence": 0.9}', None, "none"),
        ("I cannot say.", None, "none"),
        ("", None, "none"),
        ("The final answer is 18. All 3 members agree.", "18", "last_number"),
        ("The answer is **18**. I am 95% confident.", "18", "last_number"),
        ("The answer is yes, say 2 of 3.", "yes", "last_number"),
        ("3 say 9.\n#### 18\nThat took 2 steps.", "18", "last_number"),
        ('{"reason": "the answer is 7, as 2 say", "confidence": 0.9}', "7", "last_number"),
        (r"\fbox{84} after 3 checks", "84", "boxed"),
        (r"84, or \boxed{}", None, "none"),
        (r'{"reason": "it is 84", "value": "\\boxed{}"}', "84", "last_number"),
        ("1" * (MAX_ANSWER_CHARACTERS + 1), None, "none"),
        ("[1]", "[1]", "last_number"),
        ("null", None, "none"),
    ],
)
def test_without_a_readable_object_a_box_or_the_last_number_is_taken(
    text: str, value: str | None, method: str
) -> None:
    assert read(text) == (value, method)


def test_thinking_is_never_read() -> None:
    assert read(f'<think>{{"value": "1"}}</think>\n{CLEAN}') == ("84", "json")
    assert read(f"<think>is it {CLEAN}") == (None, "none")
    assert read("<thinking>1</thinking> The answer is 7.") == ("7", "last_number")
    assert read(r"<THINK>\boxed{1}</THINK> \boxed{7}") == ("7", "boxed")
    assert read(r"opened by the template \boxed{1}</think> \boxed{7}") == ("7", "boxed")
    assert guard_strategy("<Thinking>the answer is 3</Thinking>Add.") == ("Add.", False)


def test_values_can_always_be_encoded() -> None:
    commitment = parse_commitment(r'{"reason": "\ud800", "value": "7\udfff"}')
    assert commitment.value is not None
    commitment.value.encode("utf-8")
    commitment.reason.encode("utf-8")


@given(st.text(max_size=300) | st.text('{}[]",:\\ \nvalue0eu', max_size=300))
def test_any_text_gives_a_commitment_that_can_be_encoded(text: str) -> None:
    commitment = parse_commitment(text)
    assert (commitment.value is None) == (commitment.parse_method == "none")
    assert commitment.value != ""
    json.dumps([commitment.value, commitment.checklist], ensure_ascii=False)
    guarded, _ = guard_strategy(text)
    assert guarded in text


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        "[",
        '{"a":',
        '"',
        "{'",
        '{"value":"',
        '{"v":[',
        "{,",
        r"\boxed{",
        "\\",
        "1",
        "1,",
        "-",
        " ",
        '" ',
        "answer is ",
        "the ",
        "<think>",
        "=>",
    ],
)
@pytest.mark.parametrize("prefix", ["", '{"value": "'])
def test_hostile_sizes_are_read_without_recursion_or_delay(prefix: str, unit: str) -> None:
    # Linear reading takes well under a second; anything quadratic would never return.
    text = prefix + unit * (1_000_000 // len(unit))
    commitment = parse_commitment(text)
    assert len(commitment.value or "") <= MAX_ANSWER_CHARACTERS
    strategy, _ = guard_strategy(text)
    assert len(strategy) <= MAX_STRATEGY_CHARACTERS


# --- the strategy guard -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Add. The answer is 42.", "Add."),
        ("Add. The final value is 42.", "Add."),
        (r"Add; the final value is \(42\)", "Add;"),
        ("the answer comes to 42", ""),
        ("the answer is the number 42", ""),
        ("the answer, then, is 42", ""),
        ("the answer will be Paris", ""),
        ("the answer is minus seven", ""),
        ("So the correct choice is (B)", ""),
        ("Total = 42", ""),
        ("it equals 42", ""),
        ("final: 42", ""),
        ("Compute 6*7 = 42", "Compute"),
        ("Add them; so the final answer is: **42**", "Add them;"),
        ("Answer: 42", ""),
        ("answer：42", ""),
        ("Multiply.\nFinal answer 42", "Multiply."),
        ("Add. Answer: Paris", "Add."),
        ("The answer is yes.", ""),
        ("The answer is about forty two", ""),
        ("the result is twelve", ""),
        ("the solution would be $12", ""),
        ("result = 84 apples", ""),
        (r"Add, giving \boxed{42}", "Add, giving"),
        ("Add\n#### 42", "Add"),
        ("3 + 4 => 7", "3 + 4"),
        ("3 + 4 → $7", "3 + 4"),
        ("<think>the answer is 3</think>Add.", "Add."),
        ("Subtract 15 from 42, which leaves 27.", "Subtract 15 from 42"),
        ("Take away the rest, leaving her with 27 apples.", "Take away the rest"),
        ("Subtract. This leaves him only $27.", "Subtract."),
        ("Multiply both, which gives a total of 42", "Multiply both"),
        ("He eats some, so 27 remain.", "He eats some"),
        ("Subtract; so 27 apples are left.", "Subtract;"),
        ("Add them. Thus there are 27 apples in total", "Add them."),
        ("Check with the expected value 27.", "Check with"),
        ("Add; expected answer: 27", "Add;"),
        ("Subtract. He is left with 27.", "Subtract. He is"),
        ("Subtract 15 from 42, which is 27", "Subtract 15 from 42"),
        ("Subtract, giving 27 dollars.", "Subtract"),
        ("Subtract, so she has 27 left", "Subtract"),
        ("Subtract; so there will be 27 left", "Subtract;"),
        ("Subtract. This results in 27.", "Subtract."),
        ("Add. The total comes to 27", "Add. The"),
        ("Add. 42 minus 15 is 27", "Add."),
    ],
)
def test_an_answer_in_a_strategy_is_cut(text: str, kept: str) -> None:
    strategy, leaked = guard_strategy(text)
    assert strategy == kept
    assert leaked == ("think" not in text)


@pytest.mark.parametrize(
    "text",
    [
        "multiply, then add",
        "multiply, add, subtract",
        "the result is the number of 5-packs times 3",
        "answer: add",
        "the final value is the sum of all 5 parts",
        "Let x = 5",
        "Find the number of boxes, multiply by 7, add 15; check the units.",
        "the answer is the sum of both",
        "check that the answer is in dollars",
        "The result is then divided by the 3 children",
        "Watch out: 12 boxes with 7 each, not 12 apples.",
        "Express the final answer in simplest form.",
        "Apply each arrow -> in turn",
        "Find what leaves the shop first, then 3 more",
        "Subtract what he gives away; the rest remains",
        "She gives 3 apples to each of the 5 children",
        "Compute the expected value of a 6-sided die",
        "So 3 boxes hold 12 apples each; find all",
        "Find the side which is 3 cm longer than the other",
        "Start by giving 3 apples to each of the 5 children",
        "See that 3 times 5 is computed first",
        "",
    ],
)
def test_a_plan_that_only_speaks_about_the_answer_stays(text: str) -> None:
    assert guard_strategy(text) == (text, False)


PLAN = "1. Find the price of 3 books. 2. Add the postage of 4 dollars. 3. Subtract the discount."


def test_a_strategy_beyond_the_limit_ends_with_the_last_sentence_that_fits() -> None:
    assert within_tokens(PLAN, 50, in_sentences=True) == PLAN
    assert within_tokens(PLAN, 20, in_sentences=True) == PLAN.partition(" 3. ")[0]
    assert within_tokens(PLAN, 4, in_sentences=True) == ""


def test_a_strategy_of_words_alone_ends_with_the_last_word_that_fits() -> None:
    assert within_tokens("multiply, add, subtract", 4, in_sentences=False) == "multiply, add,"


@given(st.text(max_size=200), st.integers(1, 60), st.booleans())
def test_what_is_left_of_a_strategy_is_within_the_limit(
    text: str, limit: int, in_sentences: bool
) -> None:
    left = within_tokens(text, limit, in_sentences=in_sentences)
    assert count_pieces(left) <= limit
    assert text.strip().startswith(left.strip())


def test_a_hundred_and_twenty_words_are_more_than_fifty_tokens() -> None:
    assert count_pieces("word " * 120) == 120
    assert count_pieces("12345 + 1 = x") == 6


@pytest.mark.parametrize(
    ("strategy", "value", "states"),
    [
        ("Subtract, so 27 it is", "27", True),
        ("Subtract 127 from 270", "27", False),
        ("2.27 or 27.5 or 27,000", "27", False),
        ("It is 27.", "27", True),
        ("Take paris", "Paris", True),
        ("", "27", False),
    ],
)
def test_a_strategy_states_a_value_that_stands_in_it_alone(
    strategy: str, value: str, states: bool
) -> None:
    assert states_value(strategy, value) == states


def test_nothing_is_ever_run() -> None:
    value: Any = "__import__('os').system('echo 1')"
    assert parse_commitment(json.dumps({"value": value})).value == value


# Strategies that were cut off


@pytest.mark.parametrize(
    ("strategy", "whole"),
    [
        ("1. Find the cost.\n2. Calculate the total", "1. Find the cost."),
        ("1. Find the cost\n2. Halve it\n3. Ad", "1. Find the cost\n2. Halve it"),
        ("Find x first. Then subtr", "Find x first."),
        ("He pays 5. Then", "He pays 5."),
        ("1. Find the cost. 2. Calculate the total", "1. Find the cost."),
        ("2. Calculate the total", ""),
        ("Calculate the to", ""),
        ("", ""),
    ],
)
def test_a_strategy_that_was_cut_off_ends_with_its_last_whole_step(
    strategy: str, whole: str
) -> None:
    assert whole_steps(strategy) == whole
