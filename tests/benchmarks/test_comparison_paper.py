"""Tests of the paper's numbers: copied right, marked as the paper's, never mixed with ours."""

from __future__ import annotations

import pytest

from benchmarks.comparison.paper import (
    DATASETS,
    FIGURE_METHODS,
    FIGURES,
    MODELS,
    OURS,
    PaperSetting,
    figure_accuracies,
    paper_table_lines,
    table_3,
)
from benchmarks.comparison.report import summarise
from benchmarks.comparison.specs import parse_spec
from benchmarks.comparison.table import WIDTH
from econ_env.llm.types import Usage
from tests.benchmarks.hand_made import about, record


@pytest.mark.parametrize(
    ("model", "printed"),
    # Figure 3 of the paper: averages over the five data sets.
    [
        ("8x7B", (49.0, 56.8, 54.8, 57.4, 56.9, 56.7, 57.4, 57.2, 59.5)),
        ("8x22B", (62.5, 73.1, 72.4, 72.6, 72.7, 71.2, 73.8, 72.2, 77.7)),
        ("70B", (68.8, 78.3, 73.9, 77.6, 70.1, 71.3, 79.5, 77.4, 82.7)),
        ("405B", (74.4, 82.3, 79.1, 82.8, 80.0, 79.4, 84.0, 82.7, 87.5)),
    ],
)
def test_the_bars_have_the_averages_that_the_paper_prints(
    model: str, printed: tuple[float, ...]
) -> None:
    bars = [figure_accuracies(PaperSetting(dataset=dataset, model=model)) for dataset in DATASETS]
    for method, average in zip(FIGURE_METHODS, printed, strict=True):
        assert sum(bar[method] for bar in bars) / 5 == pytest.approx(average, abs=0.11)


def test_tokens_fall_from_debate_to_econ_as_computed_from_the_paper() -> None:
    saved = [
        100 * (1 - cells["ECON"][0] / cells["MAD 3 rounds"][0])
        for dataset in ("math", "gsm8k", "gsm_hard")
        for model in ("70B", "8x7B", "8x22B")
        for cells in [table_3(PaperSetting(dataset=dataset, model=model))]
    ]
    computed = [24.4, 22.8, 20.1, 18.7, 12.2, 17.5, 49.9, 14.0, 23.2]
    assert saved == pytest.approx(computed, abs=0.06)


def test_figures_and_table_3_agree_on_self_consistency() -> None:
    for dataset in ("math", "gsm8k", "gsm_hard"):
        for model in ("70B", "8x7B", "8x22B"):
            setting = PaperSetting(dataset=dataset, model=model)
            assert table_3(setting)["SC@64"][1] == pytest.approx(
                figure_accuracies(setting)["SC@64"], abs=0.06
            )


def test_every_setting_has_its_bars() -> None:
    assert {dataset: set(models) for dataset, models in FIGURES.items()} == {
        dataset: set(MODELS) for dataset in DATASETS
    }
    assert table_3(PaperSetting(dataset="svamp")) == {}
    assert table_3(PaperSetting(dataset="math", model="405B")) == {}


def test_ours_are_called_as_records_call_them() -> None:
    assert OURS["MAD 3 rounds"] == parse_spec("debate:agents=3,rounds=3").canonical
    assert OURS["SC@64"] == parse_spec("self_consistency:k=64").canonical
    for spec in OURS.values():
        assert parse_spec(spec).canonical == spec


def test_ours_stand_beside_theirs() -> None:
    def usage(tokens: int) -> Usage:
        return Usage(prompt_tokens=tokens, requests=1)

    records = [
        record(method, f"q{i}", i < 3, usage=usage(tokens))
        for method, tokens in (("cot", 300), ("debate", 2000), ("econ", 1500), ("greedy", 100))
        for i in range(4)
    ]
    comparison = summarise(
        records,
        about("cot", "debate", "econ", "greedy", questions=4, dataset="math", llm="some-model"),
    )
    lines = paper_table_lines(comparison, PaperSetting.parse("math"))
    cells = {line.split("  ")[0]: line.split() for line in lines}
    assert cells["ZS-CoT"][1:] == "68.2 – 300.0 | 75.0 (30.1 to 95.4) cot".split()
    assert cells["SC@64"][1:] == "67.4 11,917.00 | 67.39 not run –".split()
    assert cells["ECON"][1:] == "81.5 1,629.79 | 81.47 1,500.0 | 75.0 (30.1 to 95.4) econ".split()
    assert (
        cells["MAD 3 rounds"][3:]
        == "– 2,154.87 | 71.58 2,000.0 | 75.0 (30.1 to 95.4) debate".split()
    )
    assert cells["(only here)"][-1] == "greedy"
    text = "\n".join(lines)
    assert "PAPER: printed in the paper, not measured here" in text
    assert "HERE: measured. 4 questions of math, seed 0, model some-model" in text
    assert "debate of 3 rounds: HERE -25.0%; PAPER -24.4% by its Table 3, -21.4%" in text
    assert max(map(len, lines)) <= WIDTH


def test_what_the_paper_prints_twice_and_differently_is_said() -> None:
    comparison = summarise([record("econ", "q0", True)], about("econ", questions=1))
    lines = paper_table_lines(comparison, PaperSetting.parse("gsm8k"))
    assert "The paper prints two accuracies of: ECON 96.7 and 92.70" in lines
    assert not any("debate of 3 rounds" in line for line in lines)
    assert not any(
        "two accuracies" in line
        for line in paper_table_lines(comparison, PaperSetting.parse("math/70B"))
    )


def test_a_method_without_results_is_no_number() -> None:
    comparison = summarise([record("cot", "q0", True)], about("cot", "econ", questions=1))
    lines = paper_table_lines(comparison, PaperSetting.parse("strategyqa/405B"))
    row = next(line for line in lines if line.startswith("ECON ")).split()
    assert row == "ECON 94.3 – no result econ".split()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("maths", "no data set 'maths'.*did you mean 'math'"),
        ("math/70", "no model '70'.*did you mean '70B'"),
        ("math/", "no model ''"),
        ("", "no data set ''"),
    ],
)
def test_settings_that_the_paper_does_not_have_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PaperSetting.parse(text)
