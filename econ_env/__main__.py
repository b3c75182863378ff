"""Run the command line: ``econ-env`` and ``python -m econ_env``."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Load the command line and run it; the exit code is that of the command, 130 after Ctrl-C.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    """
    # Loading takes seconds on a slow machine.
    try:
        from econ_env.commands.cli import main as run
    except KeyboardInterrupt:
        print("econ-env: interrupted", file=sys.stderr)
        return 130
    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
