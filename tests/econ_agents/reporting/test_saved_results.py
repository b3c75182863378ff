"""Results read back from a run's folder."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from econ_agents.equilibrium.nash_conv import NASH_FILE
from econ_agents.evaluation.report import REPORT_FILE
from econ_agents.reporting import saved_results
from econ_agents.reporting.saved_results import read_nash_conv, read_test_report
from econ_agents.statistics import Interval
from econ_pages.errors import PageError
from tests.econ_agents.reporting.test_conclusion import STILL, learned


def test_a_report_is_read_as_it_was_saved(tmp_path: Path) -> None:
    found = replace(
        learned(0.1, 0.05, 0.15),
        actions={"temperature/a": (1.0, 0.5)},
        bounds={"temperature": (0.0, 2.0)},
    )
    for report in (
        STILL,
        replace(STILL, difference=None, right_to_wrong=None, wrong_to_right=None),
    ):
        report.save(tmp_path, learned=asdict(found))
        assert read_test_report(tmp_path) == (report, found)
        report.save(tmp_path)
        assert read_test_report(tmp_path) == (report, None)


def test_a_run_may_have_neither_test_nor_nash_conv(tmp_path: Path) -> None:
    assert read_test_report(tmp_path) is None
    assert read_nash_conv(tmp_path) == []


def test_nash_conv_is_read_with_the_gains_of_all_agents(tmp_path: Path) -> None:
    interval = {"mean": 0.05, "low": 0.01, "high": 0.09}
    measured = {"seed": 3, "interval": interval, "questions": 40, "agents": [{"gain": interval}]}
    (tmp_path / NASH_FILE).write_text(json.dumps([measured]), encoding="utf-8")
    (found,) = read_nash_conv(tmp_path)
    assert (found.seed, found.questions) == (3, 40)
    assert found.interval == found.gains[0] == Interval(mean=0.05, low=0.01, high=0.09)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "test_report.json is damaged"),
        ("[]", "test_report.json must be an object"),
        ('{"rounds": 1, "baseline": {"episodes": 2}}', "baseline.team_reward lacks mean"),
        ('{"rounds": "three"}', "rounds must be a whole number"),
    ],
)
def test_a_damaged_report_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / REPORT_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(PageError, match=said):
        read_test_report(tmp_path)


@pytest.mark.parametrize("name", [REPORT_FILE, NASH_FILE])
def test_results_are_read_from_files_within_bounds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = {REPORT_FILE: read_test_report, NASH_FILE: read_nash_conv}[name]
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(PageError, match=f"{name} is a link"):
        read(tmp_path)
    (tmp_path / name).unlink()
    monkeypatch.setattr(saved_results, "LIMIT", 3)
    (tmp_path / name).write_text("[   ]", encoding="utf-8")
    with pytest.raises(PageError, match=f"{name} has 5 bytes, and at most 3 are read"):
        read(tmp_path)
