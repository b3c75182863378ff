"""Whatever a model writes, reading it takes time that grows with its length and no faster."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import pumping
from tests.pumping import MAX_CPU_S, READERS, Pumped, Reader, growth

ROOT = Path(__file__).parents[1]


@pytest.fixture
def interrupted_hangs() -> Iterator[None]:
    before = signal.signal(signal.SIGVTALRM, pumping.interrupt)
    yield
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_reader_of_model_text_is_slower_than_linear() -> None:
    # In a process of its own, with limits: a reader that hangs fails this test, not the suite.
    ended = subprocess.run(
        [sys.executable, "-m", "tests.pumping", "fixed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )
    at_last = ended.stderr.splitlines()[-1:]
    assert ended.returncode == 0, f"ended after {MAX_CPU_S} s of processor time at {at_last}"
    *findings, last = [json.loads(line) for line in ended.stdout.splitlines()]
    assert findings == []
    assert last["texts"] > 1_000


@pytest.mark.parametrize(
    ("name", "pumped"),
    [
        ("parse_commitment", Pumped('{"value": [', '" "', "")),
        ("parse_commitment", Pumped('{"value": [', " ", '"x y')),
        ("parse_commitment", Pumped("", " ", "")),
        ("guard_strategy", Pumped("answer: ", "*", "")),
        ("guard_strategy", Pumped("answer: ", "*", " x y")),
        ("default prompts", Pumped("<", " ", "x")),
        ("is_excessive", Pumped("9", " ", "x")),
        ("is_excessive", Pumped("", "(", "")),
        ("fault_of_status", Pumped("", "<", "")),
    ],
)
def test_what_once_hung_is_read_at_once(name: str, pumped: Pumped, interrupted_hangs: None) -> None:
    assert growth(READERS[name], pumped) is None


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [r"(?:a+)+b", r"a*a*a*a*b"])
def test_a_reader_that_is_slower_is_found(pattern: str, interrupted_hangs: None) -> None:
    slow = Reader(re.compile(pattern).match, longest=2_000)
    finding = growth(slow, Pumped("", "a", "x"))
    assert finding is not None
    assert "takes" in finding
