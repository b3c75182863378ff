"""The end of a program: its exit code, and one line on stderr if something went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable

from econ_agents.commands.console import clean_console, discard_output
from econ_agents.errors import exit_code_of


def run_program(name: str, run: Callable[[], int], *, interrupted: str = "interrupted") -> int:
    """Run a program, and print errors that are written for users as one line on stderr.

    Args:
        name: name of the program and its command, as in ``"econ-agents train"``, for that line.
        run: the program; it returns the exit code.
        interrupted: text of the line after Ctrl-C.

    Returns:
        The exit code of ``run`` or of the error (:func:`~econ_agents.errors.exit_code_of`), 130
        after Ctrl-C, or 0 if the reader of the output has gone, as in ``| head``. Any other
        exception is a bug and keeps its traceback.
    """
    try:
        with clean_console():
            return _ended(name, run, interrupted)
    except BrokenPipeError:
        discard_output()
        return 0


def _ended(name: str, run: Callable[[], int], interrupted: str) -> int:
    """Run the program; see :func:`run_program`."""
    try:
        return run()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        print(f"{name}: {interrupted}", file=sys.stderr)
        return 130
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        print(f"{name}: {_said(error)}", file=sys.stderr)
        return code


def _said(error: Exception) -> str:
    """Text of an error; that of the operating system begins with its file."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return f"{error}"
