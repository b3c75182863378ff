"""Progress: one live line in a terminal; few lines, and the last state, in a log file."""

from __future__ import annotations

import io

import pytest

from econ_agents.logging.progress import PLAIN_INTERVAL_S, PlainLines, open_progress, summary

METRICS = {
    "collection/reward_mean": 0.5124,
    "collection/accuracy": 0.625,
    "collection/tokens": 1234.0,
    "eval/nash_conv": 0.25,
    "train/alpha_ts": 0.4,
    "train/alpha_al": 0.35,
    "train/loss_td": 9.0,
}


class Terminal(io.StringIO):
    """A stderr that somebody watches."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that goes on when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def plain(stream: io.StringIO, clock: Clock, done: int = 0) -> PlainLines:
    return PlainLines(description="train", total=1000, done=done, stream=stream, clock=clock)


def test_a_line_shows_what_was_measured_and_nothing_else() -> None:
    assert summary(METRICS) == (
        "reward 0.512, accuracy 62.5%, NashConv 0.250, tokens 1,234, α ts 0.40 al 0.35"
    )
    assert summary({"collection/reward_mean": -1.0}) == "reward -1.000"
    assert summary({}) == ""


def test_a_terminal_gets_one_line_that_is_written_over() -> None:
    stream = Terminal()
    line = open_progress(description="train", total=100, done=40, stream=stream)
    line.update(41, METRICS)
    line.update(64, {"collection/reward_mean": 0.75})
    line.close()
    shown = stream.getvalue()
    assert shown.count("\n") == 1
    last = shown.rstrip("\n").rsplit("\r", 1)[1]
    assert last.startswith("train 64/100 [")
    assert "episodes" in last
    assert "reward 0.750" in last
    assert "NashConv 0.250" in last


def test_a_note_stays_above_the_line_of_a_terminal() -> None:
    stream = Terminal()
    line = open_progress(description="train", total=10, done=0, stream=stream)
    line.note("no commitments: L_SD is off")
    line.close()
    assert "no commitments: L_SD is off\n" in stream.getvalue()


def test_a_log_file_gets_few_lines_however_many_updates_there_are() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = plain(stream, clock)
    for episode in range(1, 1001):
        clock.now += PLAIN_INTERVAL_S / 100
        lines.update(episode, METRICS)
    lines.close()
    assert 10 <= stream.getvalue().count("\n") <= 11
    assert "\r" not in stream.getvalue()


def test_the_last_state_is_in_the_log_file_once() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = plain(stream, clock, done=200)
    clock.now += 4
    lines.update(210, {"collection/reward_mean": 0.5})
    assert stream.getvalue() == ""
    lines.close()
    lines.close()
    assert stream.getvalue() == "train 210/1000, 2.50 episodes/s, reward 0.500\n"


def test_a_run_without_any_episode_says_nothing() -> None:
    stream = io.StringIO()
    plain(stream, Clock()).close()
    assert stream.getvalue() == ""


def test_without_a_terminal_lines_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    lines = open_progress(description="train", total=10, done=0)
    lines.update(10, {})
    lines.note("saved")
    lines.close()
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "saved"
    assert shown[1].startswith("train 10/10, ")
