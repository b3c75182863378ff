"""Messages about a command line that cannot be read, each in one line instead of a frame."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from difflib import get_close_matches
from itertools import groupby

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_BORDER = re.compile(r"[╭╰].*|[─-]{4,}")
"""Line of a frame that is not text: its top, its bottom, or the line between two of its parts."""

_INVALID_CHOICE = re.compile(r"invalid choice (.*) for argument '(\S+)'\. Expected one of \((.*)\)")
_STRAY = "an argument belongs to no flag or command"
_REWORDED = {
    # The message of a check of settings names the setting itself.
    r"Error parsing settings\.\S+: ": "",
    r"Error parsing (\S+): ": r"\1: ",
    r"invalid literal for int\(\) with base 10: ('.*')": r"\1 is not a whole number",
    r"could not convert string to float: ('.*')": r"\1 is not a number",
    r"Missing value for argument '(\S+)'\.": r"\1 needs a value.",
    r" Expected 1 values\.": "",
    r" \(required\)": "",
    # What was typed is not repeated: it may be a key, pasted to the wrong place.
    r"Unrecognized (?:or misplaced )?options: .*": _STRAY,
}


@contextmanager
def errors_in_one_line(command: str, error: type[Exception], *, stray: str = "") -> Iterator[None]:
    """Raise what the parser prints inside the block when it exits, and let other text through.

    Args:
        command: the command whose ``--help`` is named.
        error: kind of error to raise.
        stray: advice about an argument that belongs to no flag; "" gives none.

    Raises:
        error: the parser has refused an argument.
    """
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            yield
    except SystemExit as stopped:
        if stopped.code in (None, 0):
            raise
        said = objection(printed.getvalue())
        said += f": {stray}" if stray and said == _STRAY else ""
        raise error(f"{said}; {command} --help lists the flags") from None
    sys.stderr.write(printed.getvalue())


def objection(framed: str) -> str:
    r"""Return the first part of a framed message, on one line and reworded.

    >>> objection("╭─ Value error ─╮\n│ Error parsing --n: could not │\n"
    ...           "│ convert string to float: 'x' │\n│ ──── │\n│ For full helptext │\n╰────╯")
    "--n: 'x' is not a number"
    """
    framed = _COLOURS.sub("", framed)
    lines = filter(None, [line.strip(" │") for line in framed.splitlines()])
    parts = [
        list(part)
        for is_border, part in groupby(lines, key=lambda line: bool(_BORDER.fullmatch(line)))
        if not is_border
    ]
    if not parts:
        return framed.strip()
    # In a frame of ASCII the title is a part of its own.
    texts = parts[1 if len(parts) > 1 and not framed.startswith("╭") else 0]
    if texts[0].startswith("Missing from"):
        texts[:2] = [f"{texts[1]} is missing:"]
    said = " ".join(texts)
    for pattern, words in _REWORDED.items():
        said = re.sub(pattern, words, said)
    return _INVALID_CHOICE.sub(_with_sorted_choices, said).removesuffix(".")


def _with_sorted_choices(found: re.Match[str]) -> str:
    choices = ", ".join(sorted(found[3].split(", ")))
    return f"{found[2]}: {found[1]} is not one of {choices}"


def name_a_command(program: str, commands: Iterable[str]) -> str:
    """Return the message about a program that was called without a command."""
    return f"name a command: {', '.join(commands)}; {program} --help describes them"


def no_such_command(name: str, commands: Sequence[str], others: Sequence[str] = ()) -> str:
    """Return the message about a word that is no command, with the nearest one.

    The word is not repeated: it may be a key, pasted to the wrong place.

    Args:
        name: the word.
        commands: commands, all of which are named if none is near.
        others: further names of commands.
    """
    near = get_close_matches(name, [*commands, *others], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"commands are {', '.join(commands)}"
    return f"there is no such command; {hint}"
