"""Progress: one live line in a terminal; few lines, and the last state, in a log file."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios

import pytest

from econ_agents.logging.progress import (
    ENOUGH,
    FIRST_LINE_S,
    PLAIN_INTERVAL_S,
    Measured,
    PlainLines,
    duration,
    open_progress,
    pace,
)

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
    measured = Measured()
    assert measured.words() == []
    measured.update(METRICS)
    assert measured.words() == ["reward 0.512", "accuracy 62.5%", "NashConv 0.250", "tokens 1,234"]


def test_weights_of_the_reward_are_shown_once_they_move() -> None:
    measured = Measured()
    measured.update({"train/alpha_ts": 0.4, "train/alpha_al": 0.6})
    measured.update({"train/alpha_ts": 0.401, "train/alpha_al": 0.599})
    assert measured.words() == []
    measured.update({"train/alpha_ts": 0.45, "train/alpha_al": 0.55})
    assert measured.words() == ["α ts 0.45 al 0.55"]


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
    assert "s per episode" in last
    assert "reward 0.750" in last
    assert "NashConv 0.250" in last


def shown_in(columns: int) -> str:
    """The last state of a live line in a terminal of this width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        line = open_progress(description="run", total=600, stream=stream)
        line.update(300, METRICS)
        line.close()
        written = b""
        while b"\n" not in written:
            written += os.read(ours, 10_000)
    os.close(ours)
    return written.decode().rstrip().rsplit("\r", 1)[1]


def test_what_does_not_fit_into_the_terminal_is_left_out_as_a_whole() -> None:
    assert shown_in(70).endswith("reward 0.512")
    assert shown_in(100).endswith("reward 0.512, accuracy 62.5%, NashConv 0.250")
    assert shown_in(130).endswith("NashConv 0.250, tokens 1,234")


def test_the_line_does_not_return_after_its_end() -> None:
    stream = Terminal()
    line = open_progress(description="train", total=10, stream=stream)
    line.update(10, {})
    line.close()
    before = len(stream.getvalue())
    line.note("trained 10 episodes")
    line.close()
    assert stream.getvalue()[before:] == "trained 10 episodes\n"


def test_time_is_said_as_people_say_it() -> None:
    assert [duration(s) for s in (40, 500, 4800)] == ["40 s", "8 min", "1 h 20 min"]
    assert pace(26, 200, "episode") == "0.13 s per episode"
    assert pace(90, 3, "question") == "30 s per question"
    assert pace(1, 0, "play") == ""


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
    assert 10 <= stream.getvalue().count("\n") <= 12
    assert "\r" not in stream.getvalue()


def test_a_log_file_says_soon_that_work_goes_on_and_what_it_does() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = plain(stream, clock)
    clock.now += FIRST_LINE_S
    lines.phase("planning 16")
    clock.now += FIRST_LINE_S
    lines.advance(16)
    assert stream.getvalue() == "train 0/1000, planning 16\n"
    clock.now += PLAIN_INTERVAL_S
    lines.advance(84)
    last = stream.getvalue().splitlines()[-1]
    assert last == "train 100/1000, 0.4 s per episode, about 6 min left, planning 16"


def test_the_first_games_to_end_say_nothing_of_the_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = plain(stream, clock)
    clock.now += FIRST_LINE_S
    lines.advance(1)
    clock.now += PLAIN_INTERVAL_S
    lines.advance(ENOUGH)
    first, second = stream.getvalue().splitlines()
    assert "left" not in first
    assert "s per episode" not in first
    assert "left" in second


def test_the_last_state_is_in_the_log_file_once() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = plain(stream, clock, done=200)
    clock.now += 4
    lines.update(210, {"collection/reward_mean": 0.5})
    assert stream.getvalue() == ""
    lines.close()
    lines.close()
    assert stream.getvalue() == (
        "train 210/1000, 0.4 s per episode, about 5 min left, reward 0.500\n"
    )


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
