"""Tests of the script that runs other people's trainers: each result stands for itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import third_party
from scripts.result_tables import trials_table
from scripts.third_party import Trial

GOOD = 'print("warning")\nprint("random 0.563 trained 0.720")\n'
BAD = 'import sys\nsys.exit("ValueError: no such space")\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a root folder with a trial that fails, one with an environment, one that learns."""
    scripts = tmp_path / "examples" / "third_party"
    (scripts / "environments").mkdir(parents=True)
    (scripts / "good.py").write_text(GOOD)
    (scripts / "bad.py").write_text(BAD)
    (scripts / "environments" / "own.txt").write_text("numpy==2.0.0\n")
    trials = (
        Trial(library="pytest", algorithm="BAD", script="bad"),
        Trial(library="numpy", algorithm="FAR", script="good", environment="own"),
        Trial(library="pytest", algorithm="GOOD", script="good"),
    )
    monkeypatch.setattr(third_party, "ROOT", tmp_path)
    monkeypatch.setattr(third_party, "SCRIPTS", scripts)
    monkeypatch.setattr(third_party, "PINS", scripts / "environments")
    monkeypatch.setattr(third_party, "TRIALS", trials)
    return tmp_path


def test_a_failure_stops_no_other_trial_and_is_told_in_its_row(folder: Path) -> None:
    out = folder / "third_party.json"
    out.write_text(
        '{"numpy FAR": {"library": "numpy", "algorithm": "FAR", "error": "kept", '
        '"script": "far.py", "lines": 7}}'
    )
    assert third_party.main(["--main", "--out", str(out)]) == 1
    assert third_party.main(["--only", "pytest GOOD", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert list(found) == ["pytest BAD", "numpy FAR", "pytest GOOD"]
    assert found["pytest GOOD"]["trained"] == 0.72
    assert found["pytest GOOD"]["version"] == pytest.__version__
    failed, kept, learned = trials_table(found, "")[2:]
    assert failed.endswith("| 2 | failed: ValueError: no such space |")
    assert kept.endswith("| [far.py](far.py) | 7 | failed: kept |")
    assert learned.endswith("| 2 | 0.563 → 0.720 |")
    assert "(../../examples/third_party/good.py)" in (folder / "third_party.md").read_text()


def test_an_environment_that_cannot_be_made_is_the_reason(folder: Path) -> None:
    (folder / "a_file").touch()
    entry = third_party.run(third_party.TRIALS[1], folder / "a_file", timeout_s=60)
    assert entry["error"].startswith("not installed: ")
    assert "trained" not in entry
