"""Run the command line: ``python -m econ_agents``, which does what ``econ-agents`` does."""

import sys

from econ_console.entry import econ_agents as main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
