"""Run the command line: ``python -m econ_agents``, which does what ``econ-agents`` does."""

import sys
from collections.abc import Sequence

from econ_console.entry import load_and_run


def main(argv: Sequence[str] | None = None) -> int:
    """Load the command line and run it; the exit code is that of the command, 130 after Ctrl-C.

    Args:
        argv: the arguments after the program's name; None takes those of the process.
    """
    return load_and_run("econ-agents", "econ_agents.commands.cli", argv)


if __name__ == "__main__":
    sys.exit(main())
