"""A comparison says what it waits for, also between two batches of answers."""

from __future__ import annotations

import threading

import pytest

from benchmarks.comparison import waiting
from benchmarks.comparison.waiting import opened_waiting
from econ_env.llm.in_flight import InFlight


def test_the_requests_in_flight_are_told_as_long_as_there_are_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "INTERVAL_S", 0.001)
    seen: list[str] = []
    looked = threading.Semaphore(0)

    class Display:
        def advance(self, count: int) -> None:
            seen.append(f"{count} more")

        def phase(self, text: str) -> None:
            seen.append(text)

    def in_flight() -> InFlight:
        looked.release()
        return InFlight(sent=int(len(seen) > 1))

    with opened_waiting(Display(), in_flight) as shown:  # type: ignore[arg-type]  # its other half is unused
        shown.phase("round 1")
        for _ in range(3):
            assert looked.acquire(timeout=30)
        assert seen == ["round 1"]
        shown.phase("round 2")
        for _ in range(3):
            assert looked.acquire(timeout=30)
        shown.advance(12)
    assert "round 2; 1 request in flight" in seen
    assert "12 more" in seen
    assert not [thread for thread in threading.enumerate() if thread.name == "econ-waiting"]
