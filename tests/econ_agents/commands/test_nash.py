"""``econ-agents nash`` on a small team."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from econ_agents.commands.cli import main
from econ_agents.equilibrium.deviations import Search, grid_candidates
from econ_agents.equilibrium.nash_conv import NASH_FILE
from econ_agents.equilibrium.policy_nash_conv import MAX_GRID, default_search
from tests.econ_agents.small_runs import train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("run"), "n_agents=2")


@pytest.mark.slow
def test_the_command_prints_intervals_and_keeps_every_measurement(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = Search(candidates=grid_candidates(2, 2), refinements=1)
    monkeypatch.setattr("econ_agents.equilibrium.policy_nash_conv.default_search", lambda size: few)
    flags = ["--model-dir", str(run), "--log-dir", str(tmp_path)]
    assert main(["nash", *flags, "--questions", "4", "--seeds", "3", "5"]) == 0
    printed = capsys.readouterr()
    assert re.search(r"^this will take about \d+ s at most", printed.err, re.MULTILINE)
    first, *said = printed.out.splitlines()
    # The policy, and for each of two agents four constants and four steps, on halves, twice.
    assert first == "4 questions, each half played up to 17 times: at most 136 episodes"
    interval = r"-?[\d.e-]+ \(-?[\d.e-]+ to -?[\d.e-]+\)"
    for line, seed in ((said[0], 3), (said[3], 5)):
        assert re.fullmatch(rf"seed {seed}: NashConv {interval}, in sample [\d.e-]+", line)
    for line, agent in ((said[1], 0), (said[2], 1), (said[4], 0), (said[5], 1)):
        assert re.fullmatch(rf"  executor_{agent}: best deviation gains {interval}", line)
    assert said[6] == f"report: {tmp_path / NASH_FILE}"
    first, second = json.loads((tmp_path / NASH_FILE).read_text(encoding="utf-8"))
    assert (first["seed"], second["seed"]) == (3, 5)
    for found in (first, second):
        assert found["interval"]["low"] <= found["value"] <= found["interval"]["high"]
        assert found["value"] == pytest.approx(
            sum(each["gain"]["mean"] for each in found["agents"])
        )
        assert found["questions"] == 4
    assert first["agents"] != second["agents"]


def test_too_few_questions_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nash", "--model-dir", str(run), "--questions", "3"]) == 2
    assert "--questions must be at least 4, got 3" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_played(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    bad = str(tmp_path / "file" / "folder")
    assert main(["nash", "--model-dir", str(run), "--log-dir", bad]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("size", "constants"), [(1, 5), (2, 25), (3, 125), (4, 81), (5, 32), (7, 0)]
)
def test_the_search_stays_small(size: int, constants: int) -> None:
    search = default_search(size)
    shifts = 6 * size
    assert len(search.candidates) == constants + shifts
    assert constants <= MAX_GRID
