"""The results of a run in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from econ_agents.evaluation.before_and_after import Learned
from econ_agents.evaluation.report import Arm, EvaluationReport
from econ_agents.reporting.conclusion import conclude
from econ_agents.reporting.saved_comparisons import read_comparisons
from econ_agents.reporting.saved_results import Equilibrium
from econ_agents.statistics import Interval, proportion_interval
from tests.econ_agents.reporting.plain_comparisons import VOTE, comparison, save

NOTHING = Interval(mean=0.0, low=0.0, high=0.0)


def arm(correct: int, tokens: float | None = 400.0, failed: int = 0) -> Arm:
    return Arm(
        episodes=200,
        failed=failed,
        team_reward=Interval(mean=0.8, low=0.75, high=0.85),
        correct=correct,
        accuracy=proportion_interval(correct, 200),
        tokens_per_question=tokens,
        rounds_per_question=1.0,
        closed_by={},
        json_rate=1.0,
    )


def report(difference: Interval | None, flips: tuple[int, int], tokens: float) -> EvaluationReport:
    return EvaluationReport(
        rounds=3,
        baseline=arm(131),
        bne=arm(131, tokens),
        difference=difference,
        right_to_wrong=flips[0],
        wrong_to_right=flips[1],
    )


def learned(mean: float, low: float, high: float, tokens: float = 421.0) -> Learned:
    return Learned(
        untrained=arm(118, tokens),
        difference=Interval(mean=mean, low=low, high=high),
        actions={},
        bounds={},
    )


STILL = report(NOTHING, (0, 0), 800.0)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            learned(0.065, 0.02, 0.11),
            "Training raised accuracy by 6.5 points (2.0 to 11.0) over the untrained team, "
            "for 5% fewer tokens.",
        ),
        (
            learned(-0.05, -0.09, -0.01, 400.0),
            "Training lowered accuracy by 5.0 points (1.0 to 9.0) against the untrained team, "
            "for the same tokens.",
        ),
        (
            learned(-0.01, -0.05, 0.03, 200.0),
            "Training made no clear difference: accuracy changed by −1.0 points (−5.0 to 3.0) "
            "against the untrained team, for 2.0 times the tokens.",
        ),
        (
            learned(0, 0, 0, 320.0),
            "Training changed nothing in accuracy against the untrained team, for 25% more tokens.",
        ),
    ],
)
def test_the_effect_of_training_has_its_size_and_its_price(found: Learned, sentence: str) -> None:
    assert conclude((STILL, found), [])[0] == sentence


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (STILL, "Refinement (up to 3 rounds) changed no verdict, for 2.0 times the tokens."),
        (
            report(Interval(mean=0.02, low=0.005, high=0.035), (1, 5), 500.0),
            "Refinement (up to 3 rounds) raised accuracy by 2.0 points (0.5 to 3.5) over one "
            "round, for 25% more tokens. It turned 5 wrong answers right and 1 right answer wrong.",
        ),
        (
            report(NOTHING, (2, 2), 400.0),
            "Refinement (up to 3 rounds) changed nothing in accuracy against one round, for the "
            "same tokens. It turned 2 wrong answers right and 2 right answers wrong.",
        ),
        (
            replace(STILL, difference=None, right_to_wrong=None, wrong_to_right=None),
            "Refinement (up to 3 rounds) was played, and is not compared, "
            "for 2.0 times the tokens.",
        ),
    ],
)
def test_the_effect_of_refinement_is_told_with_its_flips(
    found: EvaluationReport, sentence: str
) -> None:
    assert conclude((found, None), [])[0] == sentence


def test_the_level_of_the_trained_team_is_told_with_what_failed() -> None:
    single = replace(STILL, rounds=1, baseline=arm(131, failed=1))
    assert conclude((single, None), []) == [
        "In one round the trained team answers 131 of 200 test questions right, "
        "65.5% (58.7 to 71.7), at 400 tokens a question. 1 failed episode does not count."
    ]


def test_without_verdicts_the_reward_is_told() -> None:
    blind = replace(arm(0, None), correct=None, accuracy=None)
    found = replace(
        learned(0.1, 0.05, 0.15), untrained=blind, difference=Interval(mean=0.1, low=0.05, high=0.2)
    )
    said = conclude((replace(STILL, rounds=1, baseline=blind, bne=blind), found), [])
    assert said == [
        "Training raised the team reward by 0.1 (0.05 to 0.2) over the untrained team.",
        "The trained team's mean reward is 0.8 (0.75 to 0.85).",
    ]


def test_a_measure_below_zero_is_not_called_zero() -> None:
    interval = Interval(mean=-0.05, low=-0.09, high=-0.01)
    said = conclude((STILL, None), [Equilibrium(seed=0, interval=interval, questions=9, gains=())])
    assert "below zero: what paid on the questions" in said[-1]


@pytest.mark.parametrize(
    ("low", "sentence"),
    [
        (0.01, "Executors would still gain by deviating alone: NashConv is 0.05 (0.01 to 0.09)."),
        (
            -0.01,
            "No deviation of an executor alone was found to pay: NashConv is 0.05 (−0.01 to 0.09), "
            "which is zero within its interval.",
        ),
    ],
)
def test_the_distance_from_equilibrium_is_told(low: float, sentence: str) -> None:
    interval = Interval(mean=0.05, low=low, high=0.09)
    measured = Equilibrium(seed=0, interval=interval, questions=200, gains=())
    assert conclude((STILL, None), [measured])[-1] == sentence


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (
            "better",
            "On 200 questions of arithmetic, the trained team did better than a majority vote "
            "(k=8, T=1), by 6.5 points (2.0 to 11.0), for 2% fewer tokens.",
        ),
        (
            "as good",
            "On 200 questions of arithmetic, the trained team did as well as a majority vote "
            "(k=8, T=1): +6.5 points (2.0 to 11.0), for 2% fewer tokens.",
        ),
        (
            "open",
            "On 200 questions of arithmetic, it stayed open whether the trained team does better "
            "than a majority vote (k=8, T=1): +6.5 points (2.0 to 11.0), for 2% fewer tokens.",
        ),
    ],
)
def test_the_main_contrast_of_a_comparison_is_told(
    finding: str, sentence: str, tmp_path: Path
) -> None:
    save(tmp_path, comparison(finding))
    assert conclude((STILL, None), [], read_comparisons(tmp_path))[-1] == sentence


TRIED = {"method": "self_consistency:k=4", "chosen": "self_consistency:k=4", "trials": []}


@pytest.mark.parametrize(
    ("spec", "about", "name"),
    [
        (
            "self_consistency:k=8",
            {},
            "a majority vote (k=8) at its default temperature (not tuned)",
        ),
        (
            "self_consistency:k=8",
            {"tuned": [TRIED | {"method": "debate"}]},
            "a majority vote (k=8) at its default temperature (not tuned)",
        ),
        ("self_consistency:k=8", {"tuned": [TRIED]}, "a majority vote (k=8)"),
        (VOTE, {"tuned": []}, "a majority vote (k=8, T=1)"),
    ],
)
def test_a_vote_at_a_temperature_that_nobody_chose_is_called_not_tuned(
    spec: str, about: dict[str, Any], name: str, tmp_path: Path
) -> None:
    text = json.dumps(comparison(**about)).replace(VOTE, spec)
    save(tmp_path, text)
    assert (
        f"the trained team did better than {name}, by 6.5 points"
        in conclude((STILL, None), [], read_comparisons(tmp_path))[-1]
    )


def test_a_team_that_is_worse_than_another_method_is_called_so(tmp_path: Path) -> None:
    save(tmp_path, comparison(primary=["greedy", VOTE]))
    assert conclude((STILL, None), [], read_comparisons(tmp_path))[-1] == (
        "On 200 questions of arithmetic, one greedy answer did worse than a majority vote "
        "(k=8, T=1), by 13.5 points (7.0 to 20.0), for 87% fewer tokens."
    )


def test_a_run_without_a_test_claims_nothing() -> None:
    assert conclude(None, []) == ["This run was not tested yet, so nobody knows what it learned."]
