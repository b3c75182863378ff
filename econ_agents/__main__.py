"""Run the command line: ``econ-agents`` and ``python -m econ_agents``."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Load the command line and run it; the exit code is that of the command, 130 after Ctrl-C.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    """
    # Loading takes seconds on a slow machine.
    try:
        from econ_agents.commands.cli import main as run
    except KeyboardInterrupt:
        print("econ-agents: interrupted", file=sys.stderr)
        return 130
    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
