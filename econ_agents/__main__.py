"""Run the command line: ``python -m econ_agents`` is ``econ-agents``."""

import sys

from econ_agents.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
