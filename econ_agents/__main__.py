"""Run the command line: ``econ-agents`` and ``python -m econ_agents``."""

import sys


def main() -> int:
    """Load the command line and run it; the exit code is that of the command, 130 after Ctrl-C."""
    # Loading takes seconds on a slow machine.
    try:
        from econ_agents.commands.cli import main as run
    except KeyboardInterrupt:
        print("econ-agents: interrupted", file=sys.stderr)
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
