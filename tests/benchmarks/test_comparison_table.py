"""Tests of the tables: they show the results, and claim no more than the intervals do."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.comparison.findings import Comparison
from benchmarks.comparison.report import summarise
from benchmarks.comparison.table import WIDTH, aligned, markdown_lines, table_lines
from benchmarks.comparison.tuning import Trial, Tuned
from econ_agents.statistics import Interval
from econ_env.llm.types import Usage
from tests.benchmarks.hand_made import about, column, failed, played, record

SNAPSHOT = Path(__file__).with_name("comparison_table.txt")


@pytest.fixture
def three() -> Comparison:
    """Make forty questions on which ECON is far better than one sample, but not than the vote."""
    small = Usage(prompt_tokens=30, completion_tokens=10, requests=1)
    large = Usage(prompt_tokens=180, completion_tokens=60, cached_tokens=45, requests=5)
    records = [
        *(record("cot", f"q{i:02}", i % 2 == 0, usage=small) for i in range(40)),
        *(
            record(
                "self_consistency:k=6",
                f"q{i:02}",
                played([i % 4 > 0, i % 4 > 0, i % 3 > 0], i % 4 > 0),
                usage=large,
            )
            for i in range(40)
        ),
        *(
            record(
                "econ",
                f"q{i:02}",
                played([i % 2 > 0] * 3, i % 2 > 0),
                played([i % 5 > 0] * 3, i % 5 > 0),
                usage=large,
                cost_usd=0.00025,
            )
            for i in range(39)
        ),
        failed("econ", "q39"),
    ]
    return summarise(
        records,
        about(
            *("cot", "self_consistency:k=6", "econ"),
            questions=40,
            budget_target="econ",
            budget_matched=("self_consistency:k=6",),
        ),
    )


def test_where_nothing_is_compared_with_anything_no_differences_are_listed() -> None:
    alone = summarise(column("cot", [True] * 10), about("cot"))
    titles = [line for line in table_lines(alone) if line.startswith(("Acc", "Diff", "Exact"))]
    assert titles == ["Accuracy in %, with 95% intervals"]


def test_the_table_of_three_methods(three: Comparison) -> None:
    assert table_lines(three) == SNAPSHOT.read_text(encoding="utf-8").splitlines()


def test_markdown_has_the_same_cells(three: Comparison) -> None:
    lines = markdown_lines(three)
    assert lines[0] == "40 questions of arithmetic, seed 0, model bundled  "
    rows = [line for line in lines if line.startswith("| `econ` |")]
    assert len(rows) == sum(line.startswith("econ ") for line in table_lines(three)) == 5
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
        assert any(all(cell in line for cell in cells) for line in table_lines(three))
    widths = {block.count("|") for block in lines if block.startswith("| method")}
    assert widths == {line.count("|") for line in lines if line.startswith("| `")}


@pytest.mark.parametrize(
    ("better", "word"), [(9, "better"), (-9, "worse"), (1, "open"), (-1, "open"), (0, "open")]
)
def test_an_interval_that_holds_zero_is_called_open(better: int, word: str) -> None:
    econ = [True] * max(better, 0) + [False] * max(-better, 0) + [True, False] * 3
    cot = [False] * max(better, 0) + [True] * max(-better, 0) + [True, False] * 3
    comparison = summarise(
        [*column("econ", econ), *column("cot", cot)], about("econ", "cot", questions=len(econ))
    )
    text = "\n".join(table_lines(comparison))
    row = next(line for line in text.split("Difference")[1].splitlines() if line[:4] == "econ")
    assert row.split()[-1] == word
    assert "*" not in text


def test_what_is_left_of_adding_up_thirds_is_no_difference(three: Comparison) -> None:
    nothing = Interval(mean=-4e-17, low=5e-17, high=0.25)
    econ = three.methods[-1]
    differences = tuple(replace(each, accuracy=nothing) for each in econ.differences)
    changed = replace(three, methods=(replace(econ, differences=differences),))
    text = "\n".join(table_lines(changed)).split("Difference")[1]
    row = next(line for line in text.splitlines() if line.startswith("econ"))
    assert row.split()[-5:] == ["+0.0", "(+0.0", "to", "+25.0)", "open"]


def test_the_widest_tables_fit(three: Comparison) -> None:
    generator = random.Random(2)
    usage = Usage(prompt_tokens=28_500, completion_tokens=12_345, cached_tokens=9_999, requests=64)
    methods = (
        *("greedy", "cot", "self_consistency:k=64", "debate:rounds=10"),
        *(
            "econ:rounds=3,group_size=2",
            "cot:model=together:meta-llama/Meta-Llama-3.1-70B-Instruct",
        ),
    )
    records = [
        record(
            method,
            f"q{i}",
            *(played([generator.random() < 0.97] * 3, generator.random() < 0.97) for _ in range(4)),
            seed=seed,
            usage=usage,
            cost_usd=1.2345,
            longest_prompt_tokens=31_072,
        )
        for method in methods
        for seed in range(4)
        for i in range(30)
    ]
    comparison = summarise(
        records, about(*methods, questions=30, seeds=range(4), budget_target="greedy")
    )
    for line in [*table_lines(comparison), *table_lines(three)]:
        assert len(line) <= WIDTH, line


def test_many_seeds_and_rounds_are_shown_by_their_outermost() -> None:
    rounds = [played([True], number > 2) for number in range(6)]
    records = [
        record(method, f"q{i}", *rounds, seed=seed)
        for method in ("debate", "cot")
        for seed in range(6)
        for i in range(2)
    ]
    text = "\n".join(table_lines(summarise(records, about("debate", "cot", seeds=range(6)))))
    assert "0.0 0.0 … 100.0" in text
    assert "p 1 to 1 (6 seeds)" in text


def test_a_method_without_results_is_in_every_table() -> None:
    comparison = summarise(column("cot", [True, True]), about("cot", "econ", questions=2))
    rows = [line for line in table_lines(comparison) if line.startswith("econ")]
    assert len(rows) == 5
    assert rows[0].split() == ["econ", "–", "0/0", "0", "0", "0", "2"]
    assert all(set(row.split()[1:]) == {"–"} for row in rows[1:])


def test_long_names_get_a_line_of_their_own() -> None:
    long = "cot:model=together:meta-llama/Meta-Llama-3.1-70B-Instruct"
    assert aligned(("a", "b"), [("cot", "1", "22"), (long, "333", "4")]) == [
        "method    a   b",
        "-" * len(long),
        "cot       1  22",
        long,
        "        333   4",
    ]


def test_the_table_of_the_tuning_tells_what_was_tried_and_what_training_spent() -> None:
    trials = tuple(
        Trial(
            method=f"cot:temperature={temperature}",
            accuracy=accuracy,
            tokens=90.0,
            calls=4_000,
            questions=1_000,
            seeds=4,
        )
        for temperature, accuracy in ((0.2, 0.71), (0.4, 0.745))
    )
    tuned = Tuned(method="cot", chosen="cot:temperature=0.4", trials=trials)
    comparison = summarise(
        column("cot:temperature=0.4", [True] * 10),
        about("cot:temperature=0.4", tuned=(tuned,), trained_episodes=(1500, 1500)),
    )
    text = "\n".join(table_lines(comparison)).split("Tuning, on questions that are not compared")[1]
    row = next(line for line in text.splitlines() if line.startswith("cot"))
    assert row.split() == ["cot:temperature=0.4", "74.5", "2", "1,000", "8,000"]
    assert "econ: tuned by its training alone, 1,500 episodes for each seed's team" in text
