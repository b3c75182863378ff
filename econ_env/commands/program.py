"""Running a program: its exit code, and one line on stderr after an error."""

from __future__ import annotations

import sys
from collections.abc import Callable

from econ_env.commands.console import clean_console, discard_output
from econ_env.commands.flags import with_flags
from econ_env.errors import EconError


def run_program(name: str, run: Callable[[], int]) -> int:
    """Run a program, and turn errors that people can act on into one line on stderr.

    Args:
        name: of the program and its command, for the line: ``"econ-env play"``.
        run: does all the work and returns the exit code.

    Returns:
        The exit code: the result of ``run``; after an :class:`~econ_env.errors.EconError` its
        ``exit_code``; 2 after an error of the operating system (a missing file, for example); 130
        after Ctrl-C; 0 if the reader of the output has gone, as in ``| head``. Any other exception
        is a bug and keeps its traceback.
    """
    try:
        with clean_console():
            return _exit_code(name, run)
    except BrokenPipeError:
        discard_output()
        return 0


def _exit_code(name: str, run: Callable[[], int]) -> int:
    """Run the program; see :func:`run_program`."""
    try:
        return run()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    except EconError as error:
        print(f"{name}: {with_flags(str(error))}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{name}: {_of_system(error)}", file=sys.stderr)
        return 2


def _of_system(error: OSError) -> str:
    """Text of an error of the operating system, its file first: ``/a/b: Permission denied``."""
    named = error.filename is not None and error.strerror
    return f"{error.filename}: {error.strerror}" if named else f"{error}"
