"""The report of a test, on episodes whose counts are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from econ_agents.algorithm.episode import Episode
from econ_agents.evaluation.report import CLOSED_BY, REPORT_FILE, compare, describe_arm
from econ_agents.statistics import TooFewResults, proportion_interval
from econ_env.envs.infos import CLOSED_BY_CODES
from tests.econ_agents.builders import an_episode

N = 3


def played(
    correct: bool,
    *,
    rounds: int = 1,
    reason: int = 1,
    tokens: tuple[int, int] = (100, 20),
    asked: int = 1,
    json_: int = 1,
    reward: float = 0.5,
    failed: bool = False,
) -> Episode:
    """One question: infos as an environment of language models gives them."""

    def last(value: float) -> Any:
        rows = np.zeros((rounds, N), np.float32)
        rows[-1] = value
        return rows

    def every(value: float) -> Any:
        return np.full((rounds, N), value, np.float32)

    def so_far(value: float) -> Any:
        return np.linspace(value / rounds, value, rounds, dtype=np.float32)[:, None].repeat(N, 1)

    return an_episode(
        steps=rounds,
        failed=failed,
        team_rewards=last(reward)[:, 0],
        infos={
            "correct": last(correct),
            "closed_by": last(reason),
            "prompt_tokens": so_far(tokens[0]),
            "completion_tokens": so_far(tokens[1]),
            "commitments_asked": every(asked),
            "commitments_json": every(json_),
        },
    )


def lines(baseline: Sequence[Episode], bne: Sequence[Episode], rounds: int = 3) -> list[str]:
    return compare(baseline, bne, rounds=rounds, seed=0).lines()


def test_closing_codes_are_those_of_the_environment() -> None:
    assert {reason: code for code, reason in CLOSED_BY.items()} == CLOSED_BY_CODES


def test_the_first_lines_keep_the_form_of_the_specification() -> None:
    said = lines([played(True)] * 10, [played(True, rounds=2, reason=3)] * 10)
    assert said[0].startswith("Baseline (no BNE): 10/10 = 100.0% (95%: ")
    assert said[1].startswith("P0 BNE (3 rounds): 10/10 = 100.0%")
    assert said[2] == "P0 Metadata: JSON=100%"


def test_accuracy_comes_with_wilsons_interval() -> None:
    wilson = proportion_interval(7, 10)
    said = lines([played(k < 7) for k in range(10)], [played(k < 4) for k in range(10)])
    low, high = f"{100 * wilson.low:.1f}", f"{100 * wilson.high:.1f}"
    assert said[0] == f"Baseline (no BNE): 7/10 = 70.0% (95%: {low} to {high})"
    assert "4/10 = 40.0%" in said[1]


def test_differences_and_flips_are_of_the_same_questions() -> None:
    before = [True, True, True, False, False, False, False, True]
    after = [True, False, False, True, False, False, False, True]
    report = compare([played(c) for c in before], [played(c) for c in after], rounds=3, seed=0)
    assert (report.right_to_wrong, report.wrong_to_right) == (2, 1)
    assert report.difference is not None
    assert report.difference.mean == pytest.approx(-1 / 8)
    assert report.difference.low < -1 / 8 < report.difference.high
    said = report.lines()
    assert "refinement turned 2 right answers wrong and 1 wrong answers right" in said
    assert any(
        line.startswith("refined minus one round, accuracy: \u221212.5 points (") for line in said
    )


def test_answers_that_stay_as_they_are_have_no_interval() -> None:
    same = [played(True), played(False), played(True)]
    said = lines(same, [played(True, rounds=2), played(False), played(True)])
    assert said[-1] == "refinement changed no verdict"
    assert not any("points" in line for line in said)


def test_the_last_decision_counts() -> None:
    first_right = np.array([[1] * N, [0] * N], np.float32)
    episode = an_episode(steps=2, infos={"correct": first_right})
    assert describe_arm([episode, played(True)], seed=0).correct == 1


def test_a_reason_of_another_environment_is_counted_by_its_code() -> None:
    arm = describe_arm([played(True, reason=3), played(True, reason=9)], seed=0)
    assert arm.closed_by == {CLOSED_BY[3]: 1, "code 9": 1}
    assert lines([played(True, reason=9)] * 3, [played(True, rounds=2, reason=9)] * 3)


def test_rounds_tokens_and_reasons_are_counted() -> None:
    bne = [
        played(True, rounds=3, reason=CLOSED_BY_CODES["bne_rounds"], tokens=(300, 60)),
        played(True, rounds=2, reason=CLOSED_BY_CODES["no_deviation"], tokens=(100, 20)),
        played(True, rounds=2, reason=CLOSED_BY_CODES["no_deviation"], tokens=(100, 20)),
        played(True, rounds=1, reason=CLOSED_BY_CODES["oscillation"], tokens=(0, 0)),
    ]
    arm = describe_arm(bne, seed=0)
    assert arm.rounds_per_question == 2
    assert arm.played_rounds == 1.5, "a step in which no executor deviates plays no round"
    assert arm.tokens_per_question == pytest.approx(150)
    assert arm.closed_by == {"bne_rounds": 1, "no_deviation": 2, "oscillation": 1}
    said = lines([played(True)] * 4, bne)
    begin = said.index(
        "trained team, refined (P0 BNE): 150 tokens per question, 1.50 rounds per question"
    )
    assert said[begin - 1] == "trained team, one round (Baseline): 120 tokens per question"
    assert said[begin + 1 : begin + 4] == [
        "  ended because all rounds were played: 1 of 4",
        "  ended because no executor deviated: 2 of 4",
        "  ended because the commitments oscillated: 1 of 4",
    ]


def test_the_share_of_json_is_of_what_was_asked() -> None:
    bne = [played(True, rounds=2, asked=2, json_=1), played(True), played(True, asked=0, json_=0)]
    arm = describe_arm(bne, seed=0)
    assert arm.json_rate == pytest.approx(3 / 5)
    assert "P0 Metadata: JSON=60%" in lines(bne, bne)
    silent = [played(True, asked=0, json_=0)] * 2
    assert describe_arm(silent, seed=0).json_rate is None
    assert "P0 Metadata: JSON=n/a (no commitment was asked for)" in lines(silent, silent)


def test_failed_episodes_count_for_nothing_and_are_named() -> None:
    baseline = [played(True), played(True, failed=True), played(False), played(True)]
    bne = [played(True), played(True), played(False, failed=True), played(False)]
    report = compare(baseline, bne, rounds=3, seed=0)
    assert (report.baseline.correct, report.baseline.episodes, report.baseline.failed) == (2, 3, 1)
    assert (report.bne.correct, report.bne.episodes) == (2, 3)
    # Of the two questions that came to a result twice.
    assert report.difference is not None
    assert report.difference.mean == pytest.approx(-1 / 2)
    assert (report.right_to_wrong, report.wrong_to_right) == (1, 0)
    arms = [line for line in report.lines() if line.startswith("trained team, ")]
    assert len(arms) == 2
    assert all("1 failed, not counted" in line for line in arms)


def test_too_few_results_are_none() -> None:
    with pytest.raises(TooFewResults, match="1 of 3 episodes came to a result"):
        describe_arm([played(True), *[played(True, failed=True)] * 2], seed=0)


def test_an_environment_without_answers_is_reported_by_its_reward() -> None:
    baseline = [an_episode(k, team_rewards=np.full(3, k, np.float32)) for k in range(4)]
    bne = [an_episode(k, team_rewards=np.full(3, k + 1, np.float32)) for k in range(4)]
    report = compare(baseline, bne, rounds=3, seed=0)
    assert (report.baseline.correct, report.baseline.accuracy, report.baseline.closed_by) == (
        None,
        None,
        {},
    )
    said = report.lines()
    assert said[0].startswith("Baseline (no BNE): mean team reward 4.5 (")
    assert said[-1] == "refined minus one round, team reward: +3 (3 to 3)"
    assert said[3] == "trained team, one round (Baseline): 3.00 steps per episode"
    assert not any(word in line for line in said for word in ("turned", "tokens", "ended"))


def test_without_refinement_there_is_one_arm() -> None:
    episodes = [played(True), played(False)]
    said = lines(episodes, episodes, rounds=1)
    assert len(said) == 3
    assert not any("BNE (1" in line or "refine" in line for line in said)


def test_the_two_lists_are_of_the_same_questions() -> None:
    with pytest.raises(ValueError, match="zip"):
        compare([played(True)] * 2, [played(True)] * 3, rounds=3, seed=0)


def test_the_report_is_kept_as_json(tmp_path: Path) -> None:
    report = compare([played(True)] * 3, [played(False)] * 3, rounds=3, seed=0)
    path = report.save(tmp_path / "new")
    assert path == tmp_path / "new" / REPORT_FILE
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["rounds"] == 3
    assert kept["baseline"]["accuracy"]["mean"] == 1.0
    assert kept["bne"]["closed_by"] == {"bne_rounds": 3}
    assert kept["right_to_wrong"] == 3
