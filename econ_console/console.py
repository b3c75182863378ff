"""Standard output and error of a program: whatever is printed, the console can show it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

_CONTROL = r"[^\n\t -~\xa0-\U0010ffff]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
"""Characters that steer a terminal, or the direction of its text."""
_ONE_LINE = re.compile(rf"{_CONTROL}|[\n\t]")
_OWN_CONTROL = r"(?P<own>\x1b\[[0-9;]*[mAK]|\r)"
"""Sequences that progress bars and colours write to a terminal."""


class CleanStream:
    r"""A text stream that shows control characters as escapes, such as ``\x1b``.

    Error messages, file names and models' answers are written by others; so nothing that they hold
    can steer the terminal. Characters that the console's encoding lacks become ``?``: a report is
    never lost to them. A terminal still gets the colours and progress bars of the program.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        terminal = stream.isatty()
        self._control = re.compile(f"{_OWN_CONTROL}|{_CONTROL}" if terminal else _CONTROL)

    def write(self, text: str) -> int:
        """Write ``text``, cleaned; return its length."""
        if not text.isascii():
            encoding = self._stream.encoding or "utf-8"
            text = text.encode(encoding, "replace").decode(encoding)
        self._stream.write(self._control.sub(_shown, text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def one_line(text: str) -> str:
    r"""``text`` with escapes, such as ``\x1b`` and ``\n``, for control characters and line breaks.

    For values of others in a report: none can begin a line of its own, or use the sequences that
    :class:`CleanStream` leaves to a program.
    """
    return _ONE_LINE.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    own = found.groupdict().get("own")
    return found[0].encode("unicode_escape").decode() if own is None else own


@contextmanager
def clean_console() -> Iterator[None]:
    """Clean what is printed inside the block; flush it at the end."""
    out, err = CleanStream(sys.stdout), CleanStream(sys.stderr)
    with redirect_stdout(cast(TextIO, out)), redirect_stderr(cast(TextIO, err)):
        try:
            yield
        finally:
            sys.stdout.flush()


def discard_output() -> None:
    """Send the rest of the output nowhere: the reader of the pipe has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a stream without a descriptor
            try:
                stream.flush()
            except BrokenPipeError:
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
