"""Run the command line: ``econ-env`` and ``python -m econ_env``."""

import sys

from econ_env.interruption import loading_the_program


def main() -> int:
    """Load the command line and run it; the exit code is that of the command, 130 after Ctrl-C."""
    with loading_the_program():
        from econ_env.commands.cli import main as run
    return run()


if __name__ == "__main__":
    sys.exit(main())
