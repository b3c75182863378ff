"""The end of a program: its exit code, and one line on stderr where something went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable


def run_program(name: str, run: Callable[[], int], *, interrupted: str = "interrupted") -> int:
    """Run a program, and turn errors for people into one line on stderr.

    Args:
        name: of the program and its command, for the line: ``"econ-agents train"``.
        run: does everything and returns the exit code.
        interrupted: what the line says after Ctrl-C.

    Returns:
        The exit code: that of ``run``, of the error (:func:`exit_code_of`), or 130 after Ctrl-C.
        Any other exception is a bug and keeps its traceback.
    """
    try:
        return run()
    except KeyboardInterrupt:
        print(f"{name}: {interrupted}", file=sys.stderr)
        return 130
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        print(f"{name}: {error}", file=sys.stderr)
        return code


def exit_code_of(error: Exception) -> int | None:
    """The exit code of a program that ends by an error for people; None of a bug.

    Errors for people are those of the operating system (2), and those that have an ``exit_code``.
    All errors of this package have one, and so may those of an environment that is played: a wrong
    key or an unknown model is theirs to explain, and this package need not import them for that.
    """
    code = 2 if isinstance(error, OSError) else getattr(error, "exit_code", None)
    return code if isinstance(code, int) else None
