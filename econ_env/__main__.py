"""Run the command line: ``econ-env`` and ``python -m econ_env``."""

import sys
from collections.abc import Sequence

from econ_env.interruption import loading_the_program


def main(argv: Sequence[str] | None = None) -> int:
    """Load the command line and run it; the exit code is that of the command, 130 after Ctrl-C.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    """
    with loading_the_program():
        from econ_env.commands.cli import main as run
    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
