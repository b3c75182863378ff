"""Tests of the budget match: few measurements, the nearest number, and only open numbers."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.comparison.budget_match import (
    expected_mean,
    knob_of,
    match_budget,
    nearest,
    pilot_size,
)
from benchmarks.comparison.records import Record
from benchmarks.comparison.specs import DebateSpec, SelfConsistencySpec, Spec, parse_spec
from econ_env.llm.types import ModelError, Usage


def record(spec: Spec, question: str, tokens: int, failed: str | None = None) -> Record:
    return Record(
        method=spec.canonical,
        seed=0,
        question=question,
        failed=failed,
        verdict="" if failed else "correct",
        rounds=(),
        closed_by="",
        usage=Usage(prompt_tokens=tokens),
        cost_usd=None,
        longest_prompt_tokens=0,
        wall_s=0.0,
    )


@given(
    steps=st.lists(st.floats(0.5, 50), min_size=1, max_size=60),
    target=st.floats(0, 2000),
    least=st.integers(1, 3),
)
def test_the_nearest_number_is_found_and_nothing_is_measured_twice(
    steps: list[float], target: float, least: int
) -> None:
    totals = {least + i: sum(steps[: i + 1]) for i in range(len(steps))}
    measured: Counter[int] = Counter()

    def measure(value: int) -> float:
        measured[value] += 1
        return totals[value]

    found = nearest(measure, target, least=least, most=max(totals))
    assert abs(totals[found] - target) == min(abs(total - target) for total in totals.values())
    assert set(measured.values()) == {1}


def test_a_straight_line_takes_four_measures() -> None:
    measured = []

    def measure(value: int) -> float:
        measured.append(value)
        return 100 + 40 * value

    assert nearest(measure, 100 + 40 * 63.4, least=1, most=256) == 63
    assert measured == [1, 2, 63, 64]


def test_a_measure_that_does_not_grow_ends_at_a_bound() -> None:
    measured = []

    def measure(value: int) -> float:
        measured.append(value)
        return 5.0

    assert nearest(measure, 9.0, least=2, most=256) == 256
    # Not at a leap: what is measured costs money, and the next number may grow again.
    assert measured[:4] == [2, 3, 6, 12]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("self_consistency", True),
        ("self_consistency:model=vllm:k=2@http://127.0.0.1:1/v1,temperature=0.3", True),
        ("self_consistency:k=5", False),
        ("self_consistency:temperature=1, k=7", False),
        ("debate:agents=4", True),
        ("debate:rounds=3", False),
        ("econ_untrained:rounds=3", False),
        ("cot", False),
    ],
)
def test_numbers_that_the_user_names_stay(text: str, chosen: bool) -> None:
    assert (knob_of(text) is not None) == chosen


def test_a_debate_has_two_rounds_at_least() -> None:
    knob = knob_of("debate:agents=4")
    assert knob is not None
    assert knob.least == 2
    assert knob.at(5) == DebateSpec(agents=4, rounds=5)


def test_the_pilot_is_a_twentieth_or_twenty() -> None:
    assert [pilot_size(n) for n in (6, 100, 1000)] == [6, 20, 50]


def test_a_pilot_of_long_questions_is_expected_to_cost_more_than_all() -> None:
    target = {(0, str(i)): 100.0 + 10 * i for i in range(20)}
    pilot = {(0, str(i)): 3 * target[0, str(i)] for i in range(10, 20)}
    assert expected_mean(pilot, target) == pytest.approx(3 * 195)
    # Tokens that do not go along with the target's are not corrected.
    flat = dict.fromkeys(pilot, 50.0)
    assert expected_mean(flat, target) == 50
    assert expected_mean(pilot, dict.fromkeys(target, 7.0)) == pytest.approx(3 * 245)


def test_samples_are_chosen_by_measured_tokens_and_failures_do_not_count() -> None:
    asked = []

    def pilot(spec: Spec) -> list[Record]:
        assert isinstance(spec, SelfConsistencySpec)
        asked.append(spec.k)
        # The prompt is read once: two samples do not cost twice as much as one.
        tokens = [100 + 20 * spec.k] * 4
        lost = record(spec, "lost", 1, failed="lost")
        return [lost, *(record(spec, str(i), each) for i, each in enumerate(tokens))]

    knob = knob_of("self_consistency:temperature=0.5")
    assert knob is not None
    chosen = match_budget(knob, {(0, str(i)): 291.0 for i in range(9)}, pilot)
    assert chosen == parse_spec("self_consistency:k=10,temperature=0.5")
    assert asked == [1, 2, 9, 10]


def test_nothing_is_chosen_where_everything_failed() -> None:
    knob = knob_of("debate")
    assert knob is not None
    with pytest.raises(ModelError, match="every question of the pilot failed"):
        match_budget(knob, {(0, "a"): 9.0}, lambda spec: [record(spec, "a", 1, failed="lost")])
    with pytest.raises(ModelError, match="there is no budget"):
        match_budget(knob, {}, lambda spec: [])
