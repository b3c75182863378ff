"""Messages of a parser of flags become one line, and other texts pass."""

from __future__ import annotations

import sys

import pytest

from econ_console.parser_errors import errors_in_one_line


def test_a_text_that_is_no_error_passes_once(capsys: pytest.CaptureFixture[str]) -> None:
    with errors_in_one_line("econ-env play", ValueError):
        print("a note", file=sys.stderr)
    assert capsys.readouterr().err == "a note\n"


def test_what_stops_the_parser_is_raised_as_the_given_error() -> None:
    @errors_in_one_line("econ-env play", ValueError)
    def parse() -> None:
        print("Error parsing --n: bad", file=sys.stderr)
        raise SystemExit(2)

    with pytest.raises(ValueError, match=r"^--n: bad; econ-env play --help lists the flags$"):
        parse()
