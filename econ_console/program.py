"""The end of a program: its exit code, and one line on stderr if something went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable

from econ_console.console import clean_console, discard_output


def exit_code_of(error: Exception) -> int | None:
    """Exit code of a program that ends with an error written for users; None if it is a bug.

    Errors for users are those of the operating system (2) and those that have an ``exit_code``: 2
    after a mistake of the user, 1 if the command was right but could not be carried out.
    """
    code = 2 if isinstance(error, OSError) else getattr(error, "exit_code", None)
    return code if isinstance(code, int) else None


def run_program(
    name: str,
    run: Callable[[], int],
    *,
    interrupted: str = "interrupted",
    worded: Callable[[str], str] = str,
) -> int:
    """Run a program, and print errors that are written for users as one line on stderr.

    Args:
        name: name of the program and its command, as in ``"econ-env play"``, for that line.
        run: the program; it returns the exit code.
        interrupted: text of the line after Ctrl-C.
        worded: puts the message of an error into the words of the command line.

    Returns:
        The exit code of ``run`` or of the error (:func:`exit_code_of`), 130 after Ctrl-C, or 0 if
        the reader of the output has gone, as in ``| head``. Any other exception is a bug and keeps
        its traceback.
    """
    try:
        with clean_console():
            return _ended(name, run, interrupted, worded)
    except BrokenPipeError:
        discard_output()
        return 0


def _ended(
    name: str, run: Callable[[], int], interrupted: str, worded: Callable[[str], str]
) -> int:
    """Run the program; see :func:`run_program`."""
    try:
        return run()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        print(f"{name}: {interrupted}", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"{name}: {_of_system(error)}", file=sys.stderr)
        return 2
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        print(f"{name}: {worded(str(error))}", file=sys.stderr)
        return code


def _of_system(error: OSError) -> str:
    """Text of an error of the operating system, its file first: ``/a/b: Permission denied``."""
    named = error.filename is not None and error.strerror
    return f"{error.filename}: {error.strerror}" if named else f"{error}"
