"""Programs print, on any console, no control characters and no traceback, and lose no report."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from econ_console.console import CleanStream, one_line
from econ_env.commands.cli import main

PROGRAMS = (
    ["-m", "econ_env", "play", "--help"],
    ["-m", "econ_agents", "train", "--help"],
    ["benchmarks/compare.py", "--help"],
)


class Terminal(io.TextIOWrapper):
    """A stream that remembers what was written, with an encoding."""

    def __init__(self, encoding: str, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize(
    ("encoding", "terminal", "written", "shown"),
    [
        ("utf-8", False, "a\x1b[2Jb\x07\n\tc\x9b", "a\\x1b[2Jb\\x07\n\tc\\x9b"),
        ("utf-8", True, "\x1b[31mred\x1b[0m \x1b]0;title\x07\r", "\x1b[31mred\x1b[0m "
         "\\x1b]0;title\\x07\r"),
        ("utf-8", False, "\x1b[31mred\r", "\\x1b[31mred\\r"),
        ("utf-8", False, "é \u202eabc \ud800", "é \\u202eabc ?"),
        ("cp1252", False, "é → ½", "é ? ½"),
        ("ascii", False, "é → x", "? ? x"),
    ],
)  # fmt: skip
def test_what_the_console_cannot_show_is_replaced(
    encoding: str, terminal: bool, written: str, shown: str
) -> None:
    stream = Terminal(encoding, terminal=terminal)
    assert CleanStream(stream).write(written) == len(written)
    assert stream.text() == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, é → ½", "plain text, é → ½"),
        ("a\x1b[1A\x1b[2Kb\r", "a\\x1b[1A\\x1b[2Kb\\r"),
        ("a\nb\tc\u2028d", "a\\nb\\tc\\u2028d"),
        ("a\u202eb\x9bc", "a\\u202eb\\x9bc"),
    ],
)
def test_a_value_in_a_report_is_one_line_without_control_characters(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert shown.isprintable()


def test_an_error_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "--dataset", "x\x1b[2J\x1b]0;mine\x07.jsonl", "--questions", "1"]) == 2
    error = capsys.readouterr().err
    assert "\x1b" not in error
    assert "\\x1b[2J" in error


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("program", PROGRAMS, ids=["play", "train", "compare"])
def test_a_reader_that_has_seen_enough_ends_a_program_quietly(
    program: list[str], repository: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # the pipe is closed before the first line
    with os.fdopen(writer, "wb") as out:
        ended = subprocess.run(
            [sys.executable, *program],
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
            cwd=repository,
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_report_is_printed_on_a_console_that_is_not_utf8(encoding: str, repository: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "econ_env",
            "play",
            "--dataset",
            "simulated",
            "--llm",
            "simulated",
            "--questions",
            "1",
            "--show",
            "1",
        ],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
        cwd=repository,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"1 finished" in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("program", [PROGRAMS[0], PROGRAMS[2]], ids=["play", "compare"])
def test_help_fits_80_columns_in_a_pipe(program: list[str], repository: Path) -> None:
    ended = subprocess.run(
        [sys.executable, *program],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"},
        check=True,
        cwd=repository,
    )
    assert max(map(len, ended.stdout.splitlines())) <= 80
